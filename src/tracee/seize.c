/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * seize.c - stop all threads of a running process
 *
 * Theory of operation. A running thread can make others, a stopped one cannot. So /proc/PID/task is
 * gone over again and again; each thread that was not seen before is seized and interrupted, and
 * waited for. A turn that finds nothing new has found all: whoever could have made one more was in
 * that list. (readdir of a task directory ends early when the thread it stands on ends; that one
 * was new then, so the turn was not the last.)
 *
 * The threads are seized without any option, so that no stop but those of signals, of job control
 * and ours can come in between; the options are set when all are stopped.
 *
 * A signal whose delivery comes first is delivered as if nobody was there, and the thread stops
 * right after: before the first instruction of the handler. Nothing is held back or queued again.
 *
 * exec(2) by a thread not yet stopped takes the others away and gives their leader's id to the
 * caller. It waits for us to reap them: see reaper.h. The wait for a thread that is no more ends
 * with -ESRCH, as the leader is ours from the start (its end wakes us). At the end each thread is
 * asked whether it really stands still.
 */
#include <dirent.h>
#include <errno.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/parse.h"
#include "tracee/maps.h"
#include "tracee/reaper.h"
#include "tracee/stop.h"

#define TASK_PATH_MAX 48
#define SEIZE_TRIES   3
#define TURNS_MAX     1000 /* each finds threads that nobody stops: dead ones that another traces */

struct crowd {
	pid_t pid, *tids;
	volatile size_t n; /* read by the reaper's handler */
	size_t n_stopped, max;
	int stopped; /* signal of the group stop it is in */
};

/* A thread of ours has ended. That of a process which is our child anyhow, its caller awaits */
static void reap(const struct crowd *c, pid_t tid)
{
	struct proc_stat st;

	if (tid == c->pid && (proc_stat_read(tid, &st, NULL) < 0 || st.ppid == getpid()))
		return;
	reaper_reap(tid);
}

static bool known(const struct crowd *c, pid_t tid)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->tids[i] == tid)
			return true;
	return false;
}

/* Which of the reasons for EPERM is it? */
static int why_not(pid_t pid, struct err *e)
{
	struct proc_stat st;
	int r = proc_stat_read(pid, &st, e);

	if (r < 0)
		return r;
	if (st.tracer)
		return err_set(e, -EBUSY,
			       "process %d is traced by process %d (a debugger?): end that first",
			       pid, st.tracer);
	if (st.state == 'X')
		return err_set(e, -ESRCH, "process %d has ended", pid);
	if (st.state == 'Z' && st.n_threads > 1)
		return err_set(e, -EOPNOTSUPP,
			       "the first thread of process %d has ended while others run", pid);
	if (st.state == 'Z')
		return err_set(e, -ESRCH, "process %d has ended", pid);
	return err_set(e, -EPERM, "not allowed to trace process %d: CAP_SYS_PTRACE is wanted", pid);
}

/* Return: 1 one more, 0 it ends or has ended, -errno */
static int take(struct crowd *c, pid_t tid, struct err *e)
{
	int r;

	if (c->n == c->max)
		return err_set(e, -E2BIG, "process %d has more than %zu threads", c->pid, c->max);

	for (int tries = 0; tries < SEIZE_TRIES; tries++) {
		r = tracee_seize(tid, 0, e);
		if (r != -EPERM)
			break;
		/* a thread that ends cannot be seized; exec(2) ends the first, and makes it anew */
		r = why_not(tid, e);
		if (r != -EPERM)
			break;
	}
	if (tid != c->pid && (r == -ESRCH || r == -EOPNOTSUPP))
		return 0;
	if (r < 0)
		return r;

	c->tids[c->n] = tid;
	c->n++; /* now the reaper may look at it */
	r = tracee_interrupt(tid);
	return r < 0 && r != -ESRCH ? r : 1; /* if it has ended the wait will say so */
}

/*
 * After a SIGCHLD: is the thread we wait for still ours? When it is our child as well, and another
 * thread has taken its id over by exec, wait(2) does not tell
 */
static bool is_ours(pid_t tid)
{
	struct proc_stat st;

	return proc_stat_read(tid, &st, NULL) == 0 && st.tracer == getpid();
}

/* Return: 0, -ESRCH it has ended, -EINTR */
static int settle(struct crowd *c, pid_t tid)
{
	for (;;) {
		struct tracee_stop s;
		int n = reaper_count(), r = stop_wait(tid, &s);

		if (r == -EINTR && reaper_count() != n) {
			if (!is_ours(tid))
				return -ESRCH;
			continue;
		}
		if (r < 0)
			return r;
		if (s.kind == TRACEE_GROUP)
			c->stopped = s.signo;
		if (s.kind == TRACEE_GROUP || s.kind == TRACEE_INTERRUPT)
			return 0;

		r = tracee_interrupt(tid);
		if (r == 0)
			r = tracee_cont(tid, s.signo);
		if (r < 0 && r != -ESRCH)
			return r;
	}
}

static int settle_new(struct crowd *c, struct err *e)
{
	while (c->n_stopped < c->n) {
		pid_t tid = c->tids[c->n_stopped];
		int r = settle(c, tid);

		if (r == -EINTR)
			return err_set(
				e, r,
				"thread %d does not stop: it waits in the kernel (for a disk or "
				"a file server?); try again when it has gone on",
				tid);
		if (r == -ESRCH && tid != c->pid) {
			reap(c, tid);
			c->tids[c->n_stopped] = c->tids[--c->n];
			continue;
		}
		if (r < 0)
			return err_set(e, r, "process %d has ended", c->pid);
		c->n_stopped++;
	}
	return 0;
}

/* Return: 1 some were new, 0 none was, -errno */
static int turn(struct crowd *c, struct err *e)
{
	char path[TASK_PATH_MAX];
	struct dirent *d;
	bool new = false;
	int r = 0;
	DIR *dir;

	(void)snprintf(path, sizeof(path), "/proc/%d/task", c->pid);
	dir = opendir(path);
	if (!dir)
		return err_set(e, errno == ENOENT ? -ESRCH : -errno, "read '%s': %s", path,
			       strerror(errno));

	while (r >= 0 && (d = readdir(dir))) {
		uint32_t tid;

		if (parse_u32(d->d_name, &tid) < 0 || known(c, (pid_t)tid))
			continue;
		new = true;
		r = take(c, (pid_t)tid, e);
	}
	(void)closedir(dir);
	if (r >= 0)
		r = settle_new(c, e);
	return r < 0 ? r : new;
}

/* Does each one stand still, and obey? */
static int confirm(struct crowd *c, unsigned long options, struct err *e)
{
	for (size_t i = 0; i < c->n; i++) {
		int r = tracee_set_options(c->tids[i], options);

		if (r == -ESRCH)
			return err_set(e, -ESRCH,
				       "process %d has ended, or became another program, while it "
				       "was stopped: look again",
				       c->pid);
		if (r < 0)
			return err_set(e, r, "cannot set options of thread %d: %s", c->tids[i],
				       strerror(-r));
	}
	return 0;
}

/* Return: true when all are to be looked at again: one was still ours, or exec gave it another id */
static bool release(struct crowd *c, pid_t tid)
{
	struct proc_stat st;

	if (proc_stat_read(tid, &st, NULL) < 0)
		return true;
	if (st.tracer != getpid())
		return false;
	if (st.state == 'Z' || st.state == 'X') {
		reap(c, tid);
		return false;
	}
	/* not stopped yet, or this id is another thread's since an exec */
	if (tracee_detach(tid, 0) < 0 && tracee_interrupt(tid) == 0 && settle(c, tid) == 0 &&
	    tracee_detach(tid, 0) < 0)
		reap(c, tid);
	return true;
}

/* Undo. After a failure ids may have changed hands: what the kernel says is ours counts */
static void let_go(struct crowd *c, bool impatient)
{
	char path[TASK_PATH_MAX];
	bool some = !impatient;

	for (size_t i = 0; i < c->n; i++)
		if (tracee_detach(c->tids[i], 0) < 0 && !impatient)
			reap(c, c->tids[i]);

	(void)snprintf(path, sizeof(path), "/proc/%d/task", c->pid);
	while (some) {
		struct dirent *d;
		DIR *dir = opendir(path);

		some = false;
		while (dir && (d = readdir(dir))) {
			uint32_t tid;

			if (parse_u32(d->d_name, &tid) == 0)
				some |= release(c, (pid_t)tid);
		}
		if (dir)
			(void)closedir(dir);
	}
}

static int take_all(struct crowd *c, unsigned long options, struct err *e)
{
	int r = take(c, c->pid, e);

	if (r >= 0)
		r = settle_new(c, e);
	for (int turns = 0; r >= 0; turns++) {
		if (turns == TURNS_MAX)
			return err_set(e, -EBUSY, "threads of process %d come and go: try again",
				       c->pid);
		r = turn(c, e);
		if (r == 0)
			return confirm(c, options, e);
	}
	return r;
}

int tracee_seize_all(pid_t pid, unsigned long options, pid_t *tids, size_t max, size_t *ret_n,
		     int *stopped, struct err *e)
{
	struct crowd c = { .pid = pid, .tids = tids, .max = max };
	struct reaper reaper;
	int r = reaper_set(&reaper, tids, &c.n, pid);

	if (r < 0)
		return err_set(e, r, "set a handler of SIGCHLD: %s", strerror(-r));
	r = take_all(&c, options, e);
	if (r < 0)
		let_go(&c, r == -EINTR);
	reaper_unset(&reaper);
	if (r < 0)
		return r;

	*ret_n = c.n;
	*stopped = c.stopped;
	return 0;
}
