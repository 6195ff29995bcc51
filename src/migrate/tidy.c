/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tidy.c - take away what a deputy that was killed before RUN has left in its process
 *
 * Theory of operation. The process goes on by itself (docs/MIGRATION.md section 4), but our region
 * stays mapped in it, and one socket for each thread stays open. comosixd sees the deputy's end, and has
 * this done. The region is known by our code at its beginning (or, if its deputy had not come so far,
 * by its length, its rights and that it is empty), the sockets by the slots: a number is written there
 * before its socket is made; the file of the slots by its name.
 *
 * The process is stopped once more for it, for a few calls. A thread may still be in the loop of a
 * batch, on its way out: then it is let go for a moment, and stopped again.
 */
#include "migrate/tidy.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "migrate/rlimits.h"
#include "migrate/region.h"
#include "migrate/stub.h"
#include "migrate/stub_door.h"
#include "tracee/maps.h"
#include "tracee/tracee.h"

#define TRIES	 100
#define PAUSE_NS 2000000 /* for a thread to leave the region */
#define CODE_MAX 4096	 /* as much of our code as is compared */

static const struct stub_ops no_ops;

static bool is_ours(pid_t pid, const struct maps_entry *m)
{
	static const uint8_t nothing[CODE_MAX];
	uint8_t there[CODE_MAX];
	const void *code;
	size_t n;

	if (m->prot != (PROT_READ | PROT_WRITE | PROT_EXEC) || m->inode || m->flags & MAPS_SHARED)
		return false;
	code = parasite_code(&n);
	n = n < sizeof(there) ? n : sizeof(there);
	if (m->end - m->start < REGION_SLOTS || tracee_read(pid, m->start, there, n) < 0)
		return false;
	return !memcmp(there, code, n) ||
	       (m->end - m->start == REGION_BYTES && !memcmp(there, nothing, n));
}

/* Return: 1 it has one, 0 none, -errno */
static int find(pid_t pid, uint64_t *ret, struct err *e)
{
	struct maps maps;
	int r = maps_read(pid, false, &maps, e);

	if (r < 0)
		return r;
	for (size_t i = 0; !r && i < maps.n; i++)
		if (is_ours(pid, &maps.entries[i])) {
			*ret = maps.entries[i].start;
			r = 1;
		}
	maps_done(&maps);
	return r;
}

/* what /proc says of a descriptor begins so */
static bool is_a(pid_t pid, int fd, const char *begin)
{
	char path[64], to[64] = "";

	(void)snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)pid, fd);
	return readlink(path, to, sizeof(to) - 1) > 0 && !strncmp(to, begin, strlen(begin));
}

static int call(const struct stub *s, long nr, uint64_t a, uint64_t b)
{
	const uint64_t args[6] = { a, b };
	int64_t ret;
	int r = tracee_inject(s->pid, s->insn, nr, args, &ret);

	return r < 0 ? r : (int)ret;
}

static int close_sockets(const struct stub *s, uint64_t region)
{
	int r = 0;

	for (unsigned int slot = 0; !r && slot < IMAGE_THREADS_MAX; slot++) {
		struct parasite_context c;

		r = tracee_read(s->pid, region_slot(region, slot), &c, sizeof(c));
		if (!r && c.fd >= STUB_FDS_FIRST && is_a(s->pid, c.fd, "socket:"))
			r = call(s, SYS_close, (uint64_t)c.fd, 0);
	}
	return r;
}

/* the file of the slots is open there for two batches: stub_door.c. It has a number as low as can be */
static int close_file(const struct stub *s)
{
	for (int fd = 0; fd < STUB_FDS_FIRST; fd++)
		if (is_a(s->pid, fd, "/memfd:" STUB_DOOR_NAME))
			return call(s, SYS_close, (uint64_t)fd, 0);
	return 0;
}

/* they are lifted while the region is mapped */
static void put_limits_back(const struct stub *s, uint64_t region)
{
	struct image were = { .last_fd = INT32_MAX };

	if (tracee_read(s->pid, region + REGION_LIMITS, were.limits, sizeof(were.limits)) == 0 &&
	    rlimits_known(&were))
		rlimits_drop(s->pid, s->insn, &were);
}

static bool is_inside(const struct stub *s, uint64_t region)
{
	for (size_t i = 0; i < s->before.n_threads; i++) {
		uint64_t rip = s->before.threads[i].regs.rip;

		if (rip >= region && rip < region + REGION_BYTES)
			return true;
	}
	return false;
}

/* all threads are stopped */
static int take_away(struct stub *s, struct err *e)
{
	uint64_t region;
	int r = find(s->pid, &region, e);

	if (r <= 0)
		return r;
	if (is_inside(s, region))
		return err_set(e, -EBUSY, "a thread of it is still in our code");
	r = tracee_find_syscall(s->pid, 0, 0, &s->insn);
	if (!r)
		r = close_sockets(s, region);
	put_limits_back(s, region);
	if (!r)
		r = close_file(s);
	if (!r)
		r = call(s, SYS_munmap, region, REGION_BYTES);
	return r < 0 ? err_set(e, r, "take our region away: %s", strerror(-r)) : 1;
}

int tidy(struct loop *l, pid_t pid, struct err *e)
{
	const struct timespec pause = { .tv_nsec = PAUSE_NS };
	uint64_t region;
	int r = find(pid, &region, e);

	if (r <= 0)
		return r;
	r = -EBUSY;
	for (int i = 0; r == -EBUSY && i < TRIES; i++) {
		struct stub s;

		if (i)
			(void)nanosleep(&pause, NULL);
		stub_init(&s, l, &no_ops, NULL);
		r = stub_seize(&s, pid, e);
		if (!r)
			r = take_away(&s, e);
		stub_release(&s);
	}
	return r;
}
