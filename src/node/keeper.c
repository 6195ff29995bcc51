/* SPDX-License-Identifier: GPL-2.0-or-later */
/* keeper.c - comosixd's care for the cache of volumes that boxed tasks share */
#include "node/keeper.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "blast/cache/keep.h"
#include "log/log.h"
#include "loop/loop.h"
#include "node/box.h"
#include "node/node.h"
#include "node/sweep.h"
#include "os/fd.h"

#define TICK_MS		10000
#define PACE_MS		250
#define RESERVE_BYTES	(4ULL << 30)
#define RESERVE_PERCENT 5
#define FILES_AT_ONCE	65536

enum job_id {
	JOB_KEEP,
	JOB_SWEEP,
	N_JOBS
};

/* exit status of a child */
enum {
	JOB_DONE,
	JOB_FAILED,	/* it has said why, the first time */
	JOB_TOO_LARGE,	/* sweep: all that is left is in use */
	JOB_NO_RESERVE, /* the same, and the disk is nearly full */
};

struct job {
	struct keeper *of;
	enum job_id id;
	pid_t pid; /* 0: does not run */
	struct ev_ref child;
	bool again;
	bool failed;   /* the last pass did */
	uint32_t pass; /* how many were begun */
};

struct keeper {
	struct node *node;
	struct keeper_events events;
	struct job jobs[N_JOBS];
	unsigned int tasks;
	struct ev_ref tick, pace, watch;
	uint64_t kept_ms; /* when the last pass of JOB_KEEP began */
	int inotify;	  /* -1: not watched; the tick does it */
	int state;	  /* of the last sweep: JOB_... */
};

/* ---- in a child ---- */

static int keep(const struct settings *set, bool said)
{
	const struct keep_owners from = { .first = set->task_uid_base ? set->task_uid_base
								      : BOX_UID_BASE,
					  .n = BOX_SLOTS_MAX };
	struct keep_count count;
	struct err e;
	int r = keep_files(set->cache, &from, set->cache_bytes, &count, &e);

	if (count.removed)
		log_warn("%u files of the cache '%s' were not what their names say, and were "
			 "removed; a task has put them there",
			 count.removed, set->cache);
	if (r < 0 && !said)
		log_warn("%s", e.text);
	return r < 0 ? JOB_FAILED : JOB_DONE;
}

static int sweep(const struct settings *set, bool said)
{
	const struct sweep_limits limits = { .max_bytes = set->cache_bytes,
					     .reserve_bytes = RESERVE_BYTES,
					     .reserve_percent = RESERVE_PERCENT,
					     .files_at_once = FILES_AT_ONCE };
	struct sweep_left left;
	struct err e;

	if (sweep_cache(set->cache, &limits, &left, &e) < 0) {
		if (!said)
			log_warn("the cache could not be brought down to its size: %s", e.text);
		return JOB_FAILED;
	}
	return left.no_reserve ? JOB_NO_RESERVE : left.too_large ? JOB_TOO_LARGE : JOB_DONE;
}

static int (*const runs[N_JOBS])(const struct settings *set, bool said) = {
	[JOB_KEEP] = keep,
	[JOB_SWEEP] = sweep,
};

static void NORETURN be_child(enum job_id id, const struct settings *set, bool said)
{
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* else no stream would end for its other side before the job does */
	(void)close_range(3, ~0U, 0);
	(void)setpriority(PRIO_PROCESS, 0, 19); /* the owner of the machine comes first */
	_exit(runs[id](set, said));
}

/* ---- passes ---- */

static void begin(struct job *j);
static void tick_later(struct keeper *k);

static void note_state(struct keeper *k, int state)
{
	static const char *const words[] = {
		[JOB_TOO_LARGE] = "is over its size, for all that is in it is in use",
		[JOB_NO_RESERVE] = "has used up the disk, and all that is in it is in use: no task "
				   "is taken until there is room",
	};

	if (state != k->state && state >= JOB_TOO_LARGE && state < (int)ARRAY_LEN(words))
		log_warn("the cache '%s' %s", k->node->set.cache, words[state]);
	k->state = state;
	if (state != JOB_NO_RESERVE)
		return;
	tick_later(k); /* somebody else may make room */
	if (k->tasks)
		k->events.no_room(k->events.owner);
}

static void on_child(void *owner, pid_t pid, int wait_status)
{
	struct job *j = owner;
	int status;

	j->child = (struct ev_ref){ 0 };
	j->pid = 0;
	status = WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : JOB_FAILED;
	j->failed = status == JOB_FAILED;
	if (j->id == JOB_SWEEP)
		note_state(j->of, status);
	else
		j->of->events.kept(j->of->events.owner, j->pass);
	if (j->again)
		begin(j);
}

/* no memory or no process for it: the next tick tries again */
static void begin(struct job *j)
{
	struct keeper *k = j->of;

	j->again = true;
	if (j->pid)
		return;
	j->pid = fork();
	if (j->pid == 0)
		be_child(j->id, &k->node->set, j->failed);
	if (j->pid < 0) {
		j->pid = 0;
		return;
	}
	j->again = false;
	j->pass++;
	if (j->id == JOB_KEEP)
		k->kept_ms = loop_now(k->node->loop);
	if (loop_add_child(k->node->loop, j->pid, on_child, j, &j->child) < 0) {
		(void)kill(j->pid, SIGKILL); /* nobody would learn of its end */
		while (waitpid(j->pid, NULL, 0) < 0 && errno == EINTR)
			;
		j->pid = 0;
		j->again = true;
	}
}

/* ---- when ---- */

static void on_tick(void *owner)
{
	struct keeper *k = owner;
	bool all = k->tasks || k->state == JOB_NO_RESERVE, wanted = all;

	k->tick = (struct ev_ref){ 0 };
	for (int i = 0; i < N_JOBS; i++) {
		if (all || k->jobs[i].again)
			begin(&k->jobs[i]);
		wanted = wanted || k->jobs[i].again;
	}
	if (wanted)
		tick_later(k);
}

static void tick_later(struct keeper *k)
{
	if (!k->tick.slot)
		(void)!loop_add_timer(k->node->loop, loop_now(k->node->loop) + TICK_MS, on_tick, k,
				      &k->tick); /* no memory: at the next task */
}

static void on_pace(void *owner)
{
	struct keeper *k = owner;

	k->pace = (struct ev_ref){ 0 };
	begin(&k->jobs[JOB_KEEP]);
}

static void keep_soon(struct keeper *k)
{
	if (!k->pace.slot)
		(void)!loop_add_timer(k->node->loop, k->kept_ms + PACE_MS, on_pace, k,
				      &k->pace); /* no memory: at the next tick */
}

static void stop_watching(struct keeper *k)
{
	loop_remove(k->node->loop, &k->watch);
	fd_close(&k->inotify);
}

static void on_inotify(void *owner, uint32_t events)
{
	union {
		struct inotify_event first; /* for its alignment */
		char bytes[16384];
	} in;
	struct keeper *k = owner;
	ssize_t n = read(k->inotify, in.bytes, sizeof(in.bytes));

	for (ssize_t at = 0; at < n;) {
		const struct inotify_event *ev = (const void *)(in.bytes + at);

		if (ev->mask & IN_IGNORED) { /* the directory is gone; the next task makes it */
			stop_watching(k);
			return;
		}
		if (ev->mask & IN_Q_OVERFLOW || (ev->len && keep_names(ev->name)))
			keep_soon(k);
		at += (ssize_t)(sizeof(*ev) + ev->len);
	}
}

static void start_watching(struct keeper *k)
{
	int r;

	if (k->inotify >= 0)
		return;
	k->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	r = k->inotify < 0 || inotify_add_watch(k->inotify, k->node->set.cache,
						IN_CREATE | IN_MOVED_TO | IN_ONLYDIR) < 0
		    ? -errno
		    : loop_add_fd(k->node->loop, k->inotify, EPOLLIN, on_inotify, k, &k->watch);
	if (!r)
		return;
	log_warn("the cache '%s' cannot be watched: %s; it is looked at every %d s instead",
		 k->node->set.cache, strerror(-r), TICK_MS / 1000);
	stop_watching(k);
}

/* ---- tasks ---- */

void keeper_task_began(struct keeper *k)
{
	k->tasks++;
	start_watching(k);
	keep_soon(k); /* what a daemon before us has left */
	tick_later(k);
}

uint32_t keeper_task_ended(struct keeper *k)
{
	struct job *j = &k->jobs[JOB_KEEP];
	uint32_t pass = j->pass + 1; /* one that runs now may have passed its files by */

	k->tasks--;
	for (int i = 0; i < N_JOBS; i++)
		begin(&k->jobs[i]);
	tick_later(k); /* for one that could not begin */
	return pass;
}

bool keeper_disk_full(const struct keeper *k)
{
	return k->state == JOB_NO_RESERVE;
}

int keeper_new(struct node *n, const struct keeper_events *events, struct keeper **ret,
	       struct err *e)
{
	struct keeper *k = calloc(1, sizeof(*k));

	if (!k)
		return err_set(e, -ENOMEM, "out of memory");
	k->node = n;
	k->events = *events;
	k->inotify = -1;
	for (int i = 0; i < N_JOBS; i++)
		k->jobs[i] = (struct job){ .of = k, .id = (enum job_id)i };
	*ret = k;
	return 0;
}

void keeper_free(struct keeper *k)
{
	if (!k)
		return;
	for (int i = 0; i < N_JOBS; i++)
		loop_remove(k->node->loop, &k->jobs[i].child);
	loop_remove(k->node->loop, &k->tick);
	loop_remove(k->node->loop, &k->pace);
	stop_watching(k);
	free(k);
}
