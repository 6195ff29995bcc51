/* SPDX-License-Identifier: GPL-2.0-or-later */
/* program.c - the programs that comosixd starts for others: runners and boxed tasks */
#include "node/program.h"

#include <errno.h>
#include <limits.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/list.h"
#include "cluster/cluster.h"
#include "config.h"
#include "log/log.h"
#include "loop/loop.h"
#include "node/box.h"
#include "node/keeper.h"
#include "node/membership.h"
#include "node/node.h"
#include "node/runner.h"
#include "os/fd.h"
#include "os/file.h"
#include "os/spawn.h"
#include "wire/message.h"

/* what may be asked for by TASK */
static const struct task {
	const char *name, *program;
} tasks[] = {
	{ "blast", "comosix-blast-worker" },
};

struct program {
	struct list link;
	struct programs *all;
	pid_t pid;
	bool boxed, kept; /* has a slot; the keeper knows of it */
	struct box box;
	uint32_t slot;
	struct ev_ref child;
	void (*over)(void *owner); /* NULL: nobody waits any more */
	void *owner;
};

/* a uid of a box; see node/keeper.h */
struct slot {
	enum {
		SLOT_FREE,
		SLOT_RUNS,
		SLOT_FILES, /* its box has ended, its files are not seen to */
	} state;
	uint32_t pass; /* SLOT_FILES: of the keeper, that does it */
};

struct programs {
	struct node *node;
	struct list running;
	unsigned int n, n_tasks;
	struct slot slots[BOX_SLOTS_MAX];
	struct keeper *keeper;
};

/* ---- slots ---- */

/* the files of these boxes are root's now, or gone */
static void on_kept(void *owner, uint32_t pass)
{
	struct programs *all = owner;

	for (size_t i = 0; i < BOX_SLOTS_MAX; i++)
		if (all->slots[i].state == SLOT_FILES && all->slots[i].pass <= pass)
			all->slots[i].state = SLOT_FREE;
}

static void leave_slot(struct program *p)
{
	struct slot *s = &p->all->slots[p->slot];

	p->all->n_tasks--;
	s->state = SLOT_FREE;
	if (!p->kept)
		return; /* it was never started */
	s->pass = keeper_task_ended(p->all->keeper);
	s->state = SLOT_FILES;
}

/* ---- life of a program ---- */

static void program_free(struct program *p)
{
	struct programs *all = p->all;

	loop_remove(all->node->loop, &p->child);
	list_del(&p->link);
	all->n--;
	if (p->boxed)
		leave_slot(p);
	free(p);
}

static void on_child(void *owner, pid_t pid, int wait_status)
{
	struct program *p = owner;
	void (*over)(void *owner) = p->over;
	void *who = p->owner;

	p->child = (struct ev_ref){ 0 };
	if (p->boxed)
		box_done(&p->box);
	program_free(p);
	if (over)
		over(who);
}

/* the youngest task has done the least; reaped by on_child() */
static void on_no_room(void *owner)
{
	struct programs *all = owner;
	struct program *youngest = NULL;

	list_for_each (l, &all->running) {
		struct program *p = list_entry(l, struct program, link);

		if (p->boxed)
			youngest = p;
	}
	if (!youngest)
		return;
	log_warn("the task of uid %u is ended: the disk of the cache is full", youngest->box.uid);
	box_kill(&youngest->box);
}

/* ---- starting ---- */

static int start_runner(struct program *p, int stream, struct err *e)
{
	char path[PATH_MAX];
	int r = spawn_find(RUNNER_PROGRAM, COMOSIX_LIBEXECDIR, path, sizeof(path), e);

	return r < 0 ? r : runner_spawn(path, stream, &p->pid, e);
}

static unsigned int tasks_max(const struct node *n)
{
	struct cluster_view self;
	unsigned int max = n->set.tasks;

	if (!max && membership_view_id(n->membership, n->self.id, &self) == 0)
		max = self.profile.cpus + 1U;
	return max < BOX_SLOTS_MAX ? max : BOX_SLOTS_MAX;
}

static int take_slot(struct program *p, struct err *e)
{
	struct programs *all = p->all;

	if (all->n_tasks >= tasks_max(all->node))
		return err_set(e, -EBUSY, "%u tasks run on %s, that is all it takes; try later",
			       all->n_tasks, all->node->self.name);
	if (keeper_disk_full(all->keeper))
		return err_set(e, -EBUSY, "the disk of the cache on %s is full; make room in '%s'",
			       all->node->self.name, all->node->set.cache);
	while (p->slot < BOX_SLOTS_MAX && all->slots[p->slot].state != SLOT_FREE)
		p->slot++;
	if (p->slot == BOX_SLOTS_MAX)
		return err_set(e, -EBUSY,
			       "the files of the last tasks on %s are being checked; "
			       "try later",
			       all->node->self.name);
	all->slots[p->slot].state = SLOT_RUNS;
	all->n_tasks++;
	p->boxed = true;
	return 0;
}

static const struct task *find_task(const Cmx__Open *m)
{
	AUTO_MESSAGE Cmx__TaskRequest *rq = message_get(&cmx__task_request__descriptor,
							m->body.data, m->body.len, NULL);

	for (size_t i = 0; rq && i < ARRAY_LEN(tasks); i++)
		if (!strcmp(rq->task, tasks[i].name))
			return &tasks[i];
	return NULL;
}

static int start_task(struct program *p, const Cmx__Open *m, int stream, struct err *e)
{
	const struct settings *set = &p->all->node->set;
	const struct task *t = find_task(m);
	const char *argv[] = { t ? t->program : NULL, NULL };
	char box[PATH_MAX], program[PATH_MAX];
	struct box_spec spec = { .box_program = box,
				 .program = program,
				 .argv = argv,
				 .stream = stream,
				 .log = 2,
				 .cache = set->cache,
				 .uid_base = set->task_uid_base,
				 .memory_bytes = set->task_memory };
	int r;

	if (!t)
		return err_set(e, -ENOENT, "this node does not know that task");
	r = take_slot(p, e);
	if (!r)
		r = spawn_find(BOX_PROGRAM, COMOSIX_LIBEXECDIR, box, sizeof(box), e);
	if (!r)
		r = spawn_find(t->program, COMOSIX_LIBEXECDIR, program, sizeof(program), e);
	if (!r)
		r = dir_make(set->cache, 0755, e);
	if (r < 0)
		return r;
	spec.slot = p->slot;
	r = box_spawn(&spec, &p->box, e);
	if (!r) {
		keeper_task_began(p->all->keeper);
		p->kept = true;
	}
	p->pid = p->box.pid;
	return r;
}

int program_start(struct programs *all, const Cmx__Open *m, void (*over)(void *owner), void *owner,
		  struct program **ret, int *ret_fd, struct err *e)
{
	int fds[2], r;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		return err_set(e, -errno, "socketpair: %s", strerror(errno));
	AUTO_CLOSE int ours = fds[0], theirs = fds[1];
	struct program *p = calloc(1, sizeof(*p));

	if (!p)
		return err_set(e, -ENOMEM, "out of memory");
	*p = (struct program){ .all = all, .over = over, .owner = owner };
	list_add(&all->running, &p->link);
	all->n++;
	r = fd_nonblock(ours, 1);
	if (!r && m->kind == CMX__OPEN_KIND__OPEN_TASK)
		r = start_task(p, m, theirs, e);
	else if (!r)
		r = start_runner(p, theirs, e);
	if (!r) {
		r = loop_add_child(all->node->loop, p->pid, on_child, p, &p->child);
		if (r < 0) { /* a runner ends by itself when it sees its stream end */
			(void)err_set(e, r, "watch the program: %s", strerror(-r));
			box_kill(&p->box);
		}
	}
	if (r < 0) {
		program_free(p);
		return r;
	}
	*ret = p;
	*ret_fd = fd_take(&ours);
	return 0;
}

void program_end(struct program *p)
{
	if (!p)
		return;
	p->over = NULL;
	if (p->boxed)
		box_kill(&p->box); /* reaped by on_child() */
}

unsigned int programs_count(const struct programs *all)
{
	return all->n;
}

int programs_new(struct node *n, struct programs **ret, struct err *e)
{
	struct programs *all = calloc(1, sizeof(*all));
	const struct keeper_events events = { on_kept, on_no_room, all };
	int r;

	if (!all)
		return err_set(e, -ENOMEM, "out of memory");
	all->node = n;
	list_init(&all->running);
	box_sweep(n->set.task_uid_base);
	r = keeper_new(n, &events, &all->keeper, e);
	if (r < 0)
		free(all);
	else
		*ret = all;
	return r;
}

void programs_free(struct programs *all)
{
	if (!all)
		return;
	list_for_each_safe (l, &all->running) {
		struct program *p = list_entry(l, struct program, link);

		program_end(p); /* boxes die with us, runners see their streams end */
		program_free(p);
	}
	keeper_free(all->keeper);
	free(all);
}
