/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rights.c - what a box may use up, and who it is */
#include "node/box/wall.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "os/fd.h"

#define FILES_MAX	8192 /* a search may hold 4096 files of its database */
#define FILE_BYTES_MAX	(64ULL << 30)
#define STACK_BYTES_MAX (64ULL << 20)

#define IOPRIO_WHO_PROCESS 1
#define IOPRIO_IDLE	   (3 << 13) /* ioprio_set(2): class idle */
#define KEYCTL_JOIN	   1	     /* KEYCTL_JOIN_SESSION_KEYRING, keyctl(2) */

static int set_limit(int what, uint64_t value)
{
	const struct rlimit l = { .rlim_cur = value, .rlim_max = value };

	return setrlimit(what, &l) < 0 ? -errno : 0;
}

static int set_all_limits(const struct wall *w)
{
	const struct {
		int what;
		uint64_t value;
	} rows[] = {
		{ RLIMIT_NPROC, w->processes },
		{ RLIMIT_NOFILE, FILES_MAX },
		{ RLIMIT_FSIZE, FILE_BYTES_MAX },
		{ RLIMIT_STACK, STACK_BYTES_MAX },
		{ RLIMIT_DATA, w->memory_bytes ? w->memory_bytes : RLIM_INFINITY },
		{ RLIMIT_CORE, 0 },
		{ RLIMIT_MEMLOCK, 65536 },
		{ RLIMIT_MSGQUEUE, 0 },
		{ RLIMIT_RTPRIO, 0 },
		{ RLIMIT_NICE, 0 },
	};
	int r = 0;

	for (size_t i = 0; !r && i < ARRAY_LEN(rows); i++)
		r = set_limit(rows[i].what, rows[i].value);
	return r;
}

/* the first to go when memory is short: its work can be done again elsewhere */
static void offer_to_oom(void)
{
	AUTO_CLOSE int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || fd_write_all(fd, "1000", 4) < 0)
		return; /* the limits still hold */
}

int wall_limits(const struct wall *w, struct err *e)
{
	const struct sched_param none = { 0 };
	int r = set_all_limits(w);

	if (r < 0)
		return err_set(e, r, "set the limits of the box: %s", strerror(-r));
	offer_to_oom();
	/* politeness, not a wall: a kernel without it gives a box that works */
	(void)setpriority(PRIO_PROCESS, 0, 19);
	if (w->idle) {
		(void)sched_setscheduler(0, SCHED_IDLE, &none);
		(void)syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_IDLE);
	}
	return 0;
}

static int drop_bounding_set(void)
{
	for (int cap = 0; cap <= 63; cap++) {
		if (prctl(PR_CAPBSET_READ, cap) < 0)
			return 0; /* the last one was the one before */
		if (prctl(PR_CAPBSET_DROP, cap) < 0)
			return -errno;
	}
	return 0;
}

static int drop_capabilities(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { 0 }, is[2];

	if (syscall(SYS_capset, &head, none) < 0 || syscall(SYS_capget, &head, is) < 0)
		return -errno;
	for (size_t i = 0; i < ARRAY_LEN(is); i++)
		if (is[i].effective || is[i].permitted || is[i].inheritable)
			return -EPERM;
	return 0;
}

static int become(uint32_t uid, uint32_t gid)
{
	uid_t ru, eu, su;

	if (setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
		return -errno;
	if (getresuid(&ru, &eu, &su) < 0 || ru != uid || eu != uid || su != uid)
		return -EPERM;
	return 0;
}

int wall_rights(const struct wall *w, struct err *e)
{
	int r;

	/* the daemon's session keyring stays outside; a kernel without keyrings has none to give */
	(void)syscall(SYS_keyctl, KEYCTL_JOIN, NULL);
	r = drop_bounding_set();
	if (!r)
		r = become(w->uid, w->gid);
	if (!r)
		r = drop_capabilities();
	if (!r && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		r = -errno;
	/* init's memory is nobody's business in the box; exec makes the program readable again */
	if (!r && prctl(PR_SET_DUMPABLE, 0) < 0)
		r = -errno;
	return r < 0 ? err_set(e, r, "give up all rights for uid %u: %s", w->uid, strerror(-r)) : 0;
}
