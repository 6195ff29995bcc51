/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "migrate/rlimits.h"

#include <assert.h>
#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/parse.h"
#include "migrate/told.h"
#include "os/file.h"
#include "tracee/tracee.h"

#define BELOW_STACK 256 /* the red zone of 128 bytes, and some */
#define TEXT_MAX    8192
#define NAME_WIDTH  25 /* of /proc/PID/limits */

static_assert(RLIM_NLIMITS == IMAGE_LIMITS, "one for each");

static const struct {
	unsigned int which;
	enum rlimits_owner owner;
	bool lifted; /* at home, while it is away */
} rows[] = {
	{ RLIMIT_CPU, RLIMITS_OF_GUEST, true },	     { RLIMIT_DATA, RLIMITS_OF_GUEST, true },
	{ RLIMIT_AS, RLIMITS_OF_GUEST, true },	     { RLIMIT_STACK, RLIMITS_OF_GUEST, false },
	{ RLIMIT_MEMLOCK, RLIMITS_OF_GUEST, false }, { RLIMIT_NOFILE, RLIMITS_OF_BOTH, false },
};

enum rlimits_owner rlimits_owner(uint64_t which)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].which == which)
			return rows[i].owner;
	return RLIMITS_OF_HOME;
}

bool rlimits_known(const struct image *m)
{
	for (size_t i = 0; i < IMAGE_LIMITS; i++)
		if (m->limits[i].hard)
			return true;
	return false;
}

uint64_t rlimits_home_files(const struct image *m)
{
	uint64_t hard = m->limits[RLIMIT_NOFILE].hard, ours = (uint64_t)m->last_fd + 1;

	return hard > ours ? hard : ours;
}

/*
 * Another process's limits are open to who has this right. It is held back between, for it would also
 * let our own files be beyond the user's quota. Return: what give_back() wants
 */
static bool take_right(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct caps[_LINUX_CAPABILITY_U32S_3];
	const uint32_t right = 1U << CAP_SYS_RESOURCE;

	if (syscall(SYS_capget, &head, caps) < 0 || caps[0].effective & right ||
	    !(caps[0].permitted & right))
		return false;
	caps[0].effective |= right;
	return syscall(SYS_capset, &head, caps) == 0;
}

bool rlimits_may_raise(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct caps[_LINUX_CAPABILITY_U32S_3];

	return syscall(SYS_capget, &head, caps) == 0 &&
	       caps[0].permitted & (1U << CAP_SYS_RESOURCE);
}

static void give_back(bool taken)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct caps[_LINUX_CAPABILITY_U32S_3];

	if (!taken || syscall(SYS_capget, &head, caps) < 0)
		return;
	caps[0].effective &= ~(1U << CAP_SYS_RESOURCE);
	(void)syscall(SYS_capset, &head, caps); /* to fewer rights: it cannot fail */
}

static int parse_limit(const char *word, uint64_t *ret)
{
	*ret = RLIM_INFINITY;
	return strcmp(word, "unlimited") != 0 ? parse_u64(word, ret) : 0;
}

/* "Max cpu time             unlimited            unlimited            seconds   ", proc(5) */
static int parse_line(const char *line, struct image_limit *ret)
{
	char soft[24], hard[24];

	if (strcspn(line, "\n") <= NAME_WIDTH ||
	    sscanf(line + NAME_WIDTH, "%23s %23s", soft, hard) != 2 ||
	    parse_limit(soft, &ret->soft) < 0 || parse_limit(hard, &ret->hard) < 0)
		return -EPROTO;
	return 0;
}

/* in the order of their numbers, behind a line of titles */
static int parse_limits(const char *text, struct image_limit to[IMAGE_LIMITS])
{
	int r = 0;

	for (size_t i = 0; !r && i < IMAGE_LIMITS; i++) {
		text = strchr(text, '\n');
		r = text ? parse_line(++text, &to[i]) : -EPROTO;
	}
	return r;
}

int rlimits_read(pid_t pid, struct image *m, struct err *e)
{
	struct timespec used = { 0 };
	clockid_t clock;
	struct buf text;
	char path[32];
	int r;

	(void)snprintf(path, sizeof(path), "/proc/%d/limits", (int)pid);
	buf_init(&text, TEXT_MAX);
	r = file_read(path, &text, e);
	if (!r) {
		r = buf_text(&text) ? parse_limits(buf_text(&text), m->limits) : -ENOMEM;
		if (r < 0)
			(void)err_set(e, r, "read '%s': %s", path, strerror(-r));
	}
	buf_done(&text);
	if (clock_getcpuclockid(pid, &clock) == 0)
		(void)clock_gettime(clock, &used); /* 0 when it has just ended */
	m->cpu_used_ns = (uint64_t)used.tv_sec * 1000000000 + (uint64_t)used.tv_nsec;
	return r;
}

/* ----------------------------------------------------------------- lifting */

static bool is_same(const struct image_limit *a, const struct image_limit *b)
{
	return a->soft == b->soft && a->hard == b->hard;
}

static int set_from_outside(pid_t pid, unsigned int which, const struct image_limit *to)
{
	const struct rlimit l = { to->soft, to->hard };
	bool right = take_right();
	int r = prlimit(pid, which, &l, NULL) < 0 ? -errno : 0;

	give_back(right);
	return r;
}

/* below its stack, where any signal would write as well; what is there is put back all the same */
static int set_by_itself(pid_t pid, uint64_t insn, unsigned int which, const struct image_limit *to)
{
	const struct rlimit l = { to->soft, to->hard };
	struct user_regs_struct regs;
	struct rlimit was;
	int64_t result = 0;
	uint64_t at = 0;
	int r = tracee_get_regs(pid, &regs);

	if (!r) {
		at = (regs.rsp - BELOW_STACK) & ~15ULL;
		r = tracee_read(pid, at, &was, sizeof(was));
	}
	if (!r)
		r = tracee_write(pid, at, &l, sizeof(l));
	if (!r) {
		const uint64_t args[6] = { 0, which, at };

		r = tracee_inject(pid, insn, SYS_prlimit64, args, &result);
		if (tracee_write(pid, at, &was, sizeof(was)) < 0 && !r)
			r = -ESRCH;
	}
	return r < 0 ? r : (int)result;
}

/* as far as we may; Return: 1 it is lifted to its hard limit only */
static int lift(pid_t pid, uint64_t insn, unsigned int which, const struct image_limit *from,
		struct image_limit to)
{
	int r;

	if (is_same(from, &to))
		return 0;
	r = set_from_outside(pid, which, &to);
	if (r != -EPERM)
		return r;
	to.hard = from->hard;
	to.soft = to.soft < to.hard ? to.soft : to.hard;
	r = is_same(from, &to) ? 0 : set_by_itself(pid, insn, which, &to);
	return r < 0 ? r : to.hard != RLIM_INFINITY;
}

/* the soft one stays: the descriptors that the program gets are counted by it */
static struct image_limit files_away(const struct image *m)
{
	return (struct image_limit){ m->limits[RLIMIT_NOFILE].soft, rlimits_home_files(m) };
}

int rlimits_lift(pid_t pid, uint64_t insn, struct image *m, struct err *e)
{
	const struct image_limit none = { RLIM_INFINITY, RLIM_INFINITY };
	int r = lift(pid, insn, RLIMIT_NOFILE, &m->limits[RLIMIT_NOFILE], files_away(m));

	m->limits_bound = 0;
	for (size_t i = 0; r >= 0 && i < ARRAY_LEN(rows); i++) {
		if (!rows[i].lifted)
			continue;
		r = lift(pid, insn, rows[i].which, &m->limits[rows[i].which], none);
		m->limits_bound |= r > 0 ? 1U << rows[i].which : 0;
	}
	return r < 0 ? err_set(e, r, "lift the limits of process %d: %s", pid, strerror(-r)) : 0;
}

static void drop(pid_t pid, uint64_t insn, unsigned int which, const struct image_limit *now,
		 const struct image_limit *to)
{
	/* lowered: nothing but its end can be in the way */
	if (!is_same(now, to) && set_from_outside(pid, which, to) == -EPERM)
		told_later(set_by_itself(pid, insn, which, to));
}

void rlimits_drop(pid_t pid, uint64_t insn, const struct image *m)
{
	const struct image_limit none = { RLIM_INFINITY, RLIM_INFINITY }, files = files_away(m);

	drop(pid, insn, RLIMIT_NOFILE, &files, &m->limits[RLIMIT_NOFILE]);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].lifted)
			drop(pid, insn, rows[i].which, &none, &m->limits[rows[i].which]);
}

/* a host may say what it likes: no limit comes home higher than it may be */
static const struct image_limit *allowed(const struct image *m, const struct image *before,
					 unsigned int which)
{
	const struct image_limit *l = &m->limits[which];
	bool good = rlimits_known(m) && l->soft <= l->hard && l->hard <= before->limits[which].hard;

	return good ? l : &before->limits[which];
}

int rlimits_put_back(struct batch *b, pid_t pid, const struct image *m, const struct image *before,
		     struct err *e)
{
	int r = 0;

	batch_clear(b);
	for (size_t i = 0; r >= 0 && i < ARRAY_LEN(rows); i++) {
		const struct image_limit *l = allowed(m, before, rows[i].which);
		const struct rlimit to = { l->soft, l->hard };
		uint64_t at;

		r = batch_data(b, &to, sizeof(to), &at);
		if (!r)
			r = batch_add(b, SYS_prlimit64, 0, rows[i].which, at, 0, 0, 0);
	}
	if (r >= 0)
		r = batch_run(b, pid, e); /* each of it may fail: rlimits.h */
	batch_clear(b);
	return r < 0 ? err_set(e, r, "set its limits: %s", strerror(-r)) : 0;
}
