/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stub.c - a process becomes a stub, and is let go again; what it does meanwhile: stub_calls.c */
#include "migrate/stub.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "base/parse.h"
#include "log/log.h"
#include "migrate/capture.h"
#include "migrate/cpu_timers.h"
#include "migrate/rlimits.h"
#include "migrate/region.h"
#include "migrate/registers.h"
#include "migrate/rest.h"
#include "migrate/set_state.h"
#include "migrate/stub_door.h"
#include "migrate/stub_thread.h"
#include "migrate/told.h"
#include "os/fd.h"

#define STUB_OPTIONS  PTRACE_O_TRACECLONE
#define BUSY_TRIES    20
#define BUSY_PAUSE_MS 5

void stub_init(struct stub *s, struct loop *l, const struct stub_ops *ops, void *owner)
{
	*s = (struct stub){ .loop = l, .ops = ops, .owner = owner, .pidfd = -1 };
	image_init(&s->before);
}

static struct stub_thread *add_thread(struct stub *s, pid_t tid)
{
	struct stub_thread *t = stub_thread_new(s, tid);

	if (t)
		t->stopped = true;
	return t;
}

/* one of ours may just have it in its hands: rest_watch() */
static int seize(pid_t pid, pid_t *tids, size_t *ret_n, int *stopped, struct err *e)
{
	int r = -EBUSY;

	for (int i = 0; r == -EBUSY && i < BUSY_TRIES; i++) {
		if (i)
			(void)poll(NULL, 0, BUSY_PAUSE_MS);
		r = tracee_seize_all(pid, STUB_OPTIONS, tids, IMAGE_THREADS_MAX, ret_n, stopped, e);
	}
	return r;
}

int stub_seize(struct stub *s, pid_t pid, struct err *e)
{
	pid_t tids[IMAGE_THREADS_MAX];
	int stopped = 0, r;
	size_t n = 0;

	r = seize(pid, tids, &n, &stopped, e);
	if (r < 0)
		return r;
	s->pid = pid;
	for (size_t i = 0; !r && i < n; i++)
		if (!add_thread(s, tids[i]))
			r = err_set(e, -ENOMEM, "no memory for its threads");
	if (!r && stopped)
		r = err_set(
			e, -EAGAIN,
			"process %d is stopped by job control; continue it first (kill -CONT %d)",
			pid, pid);
	if (!r)
		r = rest_unwind(s);
	if (!r)
		r = capture_threads(tids, n, CAPTURE_HOME, &s->before, e);
	if (r < 0)
		stub_release(s);
	else
		rest_forget(s);
	return r;
}

/* ------------------------------------------------------------------ region */

static int inject(struct stub *s, long nr, const uint64_t args[6], int64_t *ret)
{
	int r = tracee_inject(s->pid, s->insn, nr, args, ret);

	return r < 0 ? r : *ret < 0 && *ret > -4096 ? (int)*ret : 0;
}

static int map_region(struct stub *s, uint64_t region, struct err *e)
{
	const uint64_t map[6] = { region,
				  REGION_BYTES,
				  PROT_READ | PROT_WRITE | PROT_EXEC,
				  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE |
					  (region ? MAP_FIXED_NOREPLACE : 0),
				  (uint64_t)-1,
				  0 };
	const void *code;
	int64_t result;
	size_t n;
	int r = inject(s, SYS_mmap, map, &result);

	if (r == -EEXIST)
		return err_set(e, -EAGAIN, "it has mapped memory where ours was to be; try again");
	if (r < 0)
		return err_set(e, r, "map our region into it: %s", strerror(-r));
	s->region = (uint64_t)result;
	code = parasite_code(&n);
	r = tracee_write(s->pid, s->region, code, n);
	if (!r) /* for who tidies up after us */
		r = tracee_write(s->pid, s->region + REGION_LIMITS, s->before.limits,
				 sizeof(s->before.limits));
	if (r < 0)
		return err_set(e, r, "put our code into it: %s", strerror(-r));
	batch_init(&s->batch, s->pid, s->region + REGION_BATCH, REGION_BATCH_BYTES);
	batch_heal(&s->batch);
	/* what the guest sends is no code */
	r = batch_add(&s->batch, SYS_mprotect, region_slot(s->region, 0),
		      REGION_BYTES - REGION_SLOTS, PROT_READ | PROT_WRITE, 0, 0, 0);
	return r < 0 ? err_set(e, r, "make a batch: %s", strerror(-r))
		     : set_state_run(&s->batch, s->pid, "protect our region in it", e);
}

static void unmap_region(struct stub *s)
{
	const uint64_t args[6] = { s->region, REGION_BYTES };
	int64_t result;

	if (!s->region)
		return;
	batch_done(&s->batch);
	told_later(inject(s, SYS_munmap, args, &result));
	s->region = 0;
}

/* --------------------------------------------------------------- descriptors */

/* Return: the highest number it has open, -errno */
static int highest_fd(pid_t pid, struct err *e)
{
	char path[32];
	struct dirent *d;
	int max = -1;
	DIR *dir;

	(void)snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	dir = opendir(path);
	if (!dir)
		return err_set(e, -errno, "open '%s': %s", path, strerror(errno));
	while ((d = readdir(dir))) {
		uint32_t fd;

		if (parse_u32(d->d_name, &fd) == 0 && (int)fd > max)
			max = (int)fd;
	}
	(void)closedir(dir);
	return max;
}

/* numbers that the program does not meet, all of them free: above what it may have, or far away */
static int choose_fds(struct stub *s, struct err *e)
{
	const struct image_limit *limit = &s->before.limits[RLIMIT_NOFILE];
	uint64_t first = limit->soft < STUB_FDS_HIGH ? limit->soft : STUB_FDS_HIGH, last;
	int highest = highest_fd(s->pid, e);

	if (highest < 0)
		return highest;
	first = first > STUB_FDS_FIRST ? first : STUB_FDS_FIRST;
	if (first + IMAGE_THREADS_MAX > limit->hard && !rlimits_may_raise())
		first = limit->hard > IMAGE_THREADS_MAX ? limit->hard - IMAGE_THREADS_MAX : 0;
	first = first > (uint64_t)highest ? first : (uint64_t)highest + 1;
	last = first + IMAGE_THREADS_MAX - 1;
	if (last >= limit->hard && !rlimits_may_raise())
		last = limit->hard - 1;
	if (last < first + s->n - 1)
		return err_set(e, -EMFILE,
			       "it has no file descriptors left (limit %llu, highest in use %d)",
			       (unsigned long long)limit->hard, highest);
	s->first_fd = s->before.first_fd = (uint32_t)first;
	s->last_fd = s->before.last_fd = (uint32_t)last;
	return 0;
}

static int make_sockets(struct stub *s, struct err *e)
{
	int r = 0;

	s->pidfd = (int)syscall(SYS_pidfd_open, s->pid, 0);
	if (s->pidfd < 0)
		r = err_set(e, -errno, "pidfd of process %d: %s", s->pid, strerror(errno));
	for (size_t i = 0; !r && i < s->n; i++) {
		/* the number that it will have: for who tidies up after us (tidy.h) */
		s->threads[i]->there = (int)(s->first_fd + i);
		r = stub_thread_context(s->threads[i]);
		s->threads[i]->there = -1;
		if (r < 0)
			return err_set(e, r, "write to our region: %s", strerror(-r));
		r = stub_thread_connect(s->threads[i], s->pid, e);
	}
	return r;
}

/* what its limits say of memory and descriptors is not meant for us: rlimits.h */
static int make_room(struct stub *s, uint64_t region, struct err *e)
{
	int r = tracee_find_syscall(s->pid, 0, 0, &s->insn);

	if (r < 0)
		return err_set(e, r, "look at its code: %s", strerror(-r));
	r = choose_fds(s, e);
	if (!r)
		r = rlimits_lift(s->pid, s->insn, &s->before, e);
	if (!r)
		r = map_region(s, region, e);
	if (!r)
		r = stub_share(s, e);
	if (!r)
		r = make_sockets(s, e);
	rlimits_drop(s->pid, s->insn, &s->before);
	return r;
}

int stub_prepare(struct stub *s, uint64_t region, const struct image *known, struct err *e)
{
	int r = rlimits_read(s->pid, &s->before, e);

	if (!r)
		r = make_room(s, region, e);
	if (!r)
		r = capture_process(&s->batch, s->region, s->region + REGION_BYTES, known,
				    &s->before, e);
	if (!r)
		r = cpu_timers_capture(&s->batch, &s->before, e);
	s->before.parasite = s->region;
	s->before.parasite_size = REGION_BYTES;
	return r;
}

int stub_close_stale(struct stub *s, pid_t by)
{
	int r = 0;

	batch_clear(&s->batch);
	for (size_t i = 0; r >= 0 && i < s->n_stale; i++)
		r = batch_add(&s->batch, SYS_close, (uint64_t)s->stale[i], 0, 0, 0, 0, 0);
	if (r >= 0 && s->n_stale)
		r = batch_run(&s->batch, by, NULL);
	batch_clear(&s->batch);
	s->n_stale = 0;
	return r < 0 ? r : 0;
}

static void close_sockets(struct stub *s)
{
	for (size_t i = 0; i < s->n; i++)
		if (!s->threads[i]->rest && s->threads[i]->there >= 0 &&
		    s->n_stale < ARRAY_LEN(s->stale))
			s->stale[s->n_stale++] = s->threads[i]->there;
	told_later(stub_close_stale(s, s->pid));
}

void stub_leave_nothing(struct stub *s)
{
	bool rest = false;

	for (size_t i = 0; i < s->n; i++) {
		told_later(tracee_set_options(s->threads[i]->tid, STUB_OPTIONS));
		rest |= s->threads[i]->rest;
	}
	stub_view_end(s);
	if (s->region) {
		close_sockets(s);
		if (!rest)
			unmap_region(s);
	}
	fd_close(&s->pidfd);
}

/* it was stopped when a call had done a part, and gets what the rest of it needs */
static int make_room_for_rests(struct stub *s, struct err *e)
{
	int r = 0;

	if (s->pidfd >= 0)
		return 0;
	if (s->region)
		return make_sockets(s, e);
	r = rlimits_read(s->pid, &s->before, e);
	return r ? r : make_room(s, 0, e);
}

/* what was read is what it goes on with; restart_syscall is there still, so it loses no sleep */
static void restore_registers(struct stub *s)
{
	struct err e = { 0 };

	if (rest_has_any(&s->before) && make_room_for_rests(s, &e) < 0)
		log_warn("a call of process %d returns early: %s", s->pid, e.text);
	for (size_t i = 0; i < s->before.n_threads; i++) {
		const struct image_thread *t = &s->before.threads[i];
		struct user_regs_struct regs;

		registers_from_image(&t->regs, &regs);
		told_later(t->done ? rest_install(s, &s->before, t)
				   : tracee_set_regs((pid_t)t->tid, &regs));
	}
}

void stub_release(struct stub *s)
{
	if (!s->pid)
		return;
	restore_registers(s);
	stub_leave_nothing(s);
	for (size_t i = 0; i < s->before.n_threads; i++)
		set_state_in_call(&s->before.threads[i], true);
	for (size_t i = 0; i < s->n; i++)
		told_later(tracee_detach(s->threads[i]->tid, 0));
	rest_watch(s, s->pid);
	stub_done(s);
	s->pid = 0;
}

void stub_done(struct stub *s)
{
	while (s->n)
		stub_thread_free(s->threads[--s->n]);
	batch_done(&s->batch);
	stub_view_end(s);
	if (s->loop)
		loop_remove(s->loop, &s->retry_ref);
	free(s->told);
	s->told = NULL;
	s->n_told = 0;
	fd_close(&s->pidfd);
	image_done(&s->before);
}

/* ------------------------------------------------------------------- start */

int stub_enter(struct stub *s, struct err *e)
{
	int r = 0;

	/* a thread that is made while it is traced has the options of the one that made it */
	for (size_t i = 0; !r && i < s->n; i++)
		r = tracee_set_options(s->threads[i]->tid, STUB_OPTIONS | PTRACE_O_EXITKILL);
	for (size_t i = 0; !r && i < s->n; i++)
		r = stub_thread_enter(s->threads[i]);
	return r < 0 ? err_set(e, r, "set its threads to work: %s", strerror(-r)) : 0;
}

/* "sigmask:" of /proc/PID/fdinfo/FD, proc(5): only a signalfd has it */
static uint64_t mask_of(pid_t pid, const char *fd)
{
	char path[300], line[128];
	unsigned long long mask = 0;
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/%d/fdinfo/%s", pid, fd);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "sigmask: %llx", &mask) == 1)
			break;
	if (f)
		(void)fclose(f);
	return mask;
}

/* what the program takes by signalfd(2) must wait at home, where that is */
static int find_kept(struct stub *s, struct err *e)
{
	char path[32];
	struct dirent *d;
	DIR *dir;

	(void)snprintf(path, sizeof(path), "/proc/%d/fdinfo", s->pid);
	dir = opendir(path);
	if (!dir)
		return err_set(e, -errno, "open '%s': %s", path, strerror(errno));
	s->kept = 0;
	while ((d = readdir(dir)))
		if (d->d_name[0] != '.')
			s->kept |= mask_of(s->pid, d->d_name);
	(void)closedir(dir);
	/* one that some thread does not block is a handler's as well */
	for (size_t i = 0; i < s->before.n_threads; i++)
		s->kept &= s->before.threads[i].sigmask;
	return 0;
}

static int tell(struct stub *s, pid_t tid, bool shared, struct err *e)
{
	struct pending *list, *more;
	size_t n;
	int r = pending_read(tid, shared, &list, &n, e);

	for (size_t i = 0; !r && i < n; i++) {
		if (s->kept & (1ULL << (list[i].info.si_signo - 1)) ||
		    cpu_timers_is_late(&s->before, &list[i].info))
			continue;
		more = reallocarray(s->told, s->n_told + 1, sizeof(*more));
		if (!more) {
			r = err_set(e, -ENOMEM, "no memory for its signals");
			break;
		}
		s->told = more;
		s->told[s->n_told++] = list[i];
		s->ops->signal(s->owner, list[i].tid, &list[i].info);
	}
	if (list)
		free(list);
	return r;
}

int stub_tell_pending(struct stub *s, struct err *e)
{
	int r = find_kept(s, e);

	for (size_t i = 0; !r && i < s->n; i++)
		r = tell(s, s->threads[i]->tid, false, e);
	return r < 0 ? r : tell(s, s->pid, true, e);
}

int stub_start(struct stub *s, struct err *e)
{
	int r = cpu_timers_set(&s->batch, &s->before, true, e);

	if (!r)
		r = rlimits_lift(s->pid, s->insn, &s->before, e);
	if (r < 0)
		return r;
	for (size_t i = 0; !r && i < s->n; i++)
		r = tracee_set_sigmask(s->threads[i]->tid, s->kept);
	if (r < 0)
		return err_set(e, r, "set its threads to work: %s", strerror(-r));
	s->running = true;
	for (size_t i = 0; i < s->n; i++) {
		s->threads[i]->stopped = false;
		if (tracee_cont(s->threads[i]->tid, 0) < 0)
			s->threads[i]->stopped = true; /* killed: told by stub_reap() */
	}
	return 0;
}

/* it was told to end: see it gone */
static void await_end(struct stub_thread *t)
{
	struct tracee_stop stop;

	while (tracee_wait(t->tid, true, &stop) == 1 && stop.kind != TRACEE_GONE)
		told_later(tracee_cont(t->tid, 0));
	stub_thread_remove(t);
}

static int halt_thread(struct stub_thread *t)
{
	struct user_regs_struct regs;
	struct tracee_stop stop;
	int r = t->stopped ? 0 : tracee_stop_thread(t->tid, &stop);

	if (r >= 0)
		r = tracee_get_regs(t->tid, &regs);
	if (r < 0)
		return r;
	(void)tracee_rewind(&regs); /* out of its read, for good */
	t->stopped = true;
	return tracee_set_regs(t->tid, &regs);
}

int stub_halt(struct stub *s, struct err *e)
{
	s->running = false;
	s->batch.code_written = false; /* it may have been written over since */
	for (size_t i = 0; i < s->n;)
		if (s->threads[i]->ending)
			await_end(s->threads[i]); /* another one is in its place now */
		else
			i++;
	for (size_t i = 0; i < s->n; i++) {
		int r = halt_thread(s->threads[i]);

		if (r < 0)
			return err_set(e, r, "stop thread %d: %s", s->threads[i]->tid,
				       strerror(-r));
	}
	return 0;
}
