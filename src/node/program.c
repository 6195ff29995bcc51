/* SPDX-License-Identifier: GPL-2.0-or-later */
/* program.c - the programs that comosixd starts for others: runners and boxed tasks */
#include "node/program.h"

#include <errno.h>
#include <limits.h>
#include <sys/socket.h>

#include "base/list.h"
#include "config.h"
#include "log/log.h"
#include "loop/loop.h"
#include "node/node.h"
#include "node/runner.h"
#include "os/fd.h"
#include "os/spawn.h"

struct program {
	struct list link;
	struct programs *all;
	pid_t pid;
	struct ev_ref child;
	void (*over)(void *owner); /* NULL: nobody waits any more */
	void *owner;
};

struct programs {
	struct node *node;
	struct list running;
	unsigned int n;
};

static void program_free(struct program *p)
{
	loop_remove(p->all->node->loop, &p->child);
	list_del(&p->link);
	p->all->n--;
	free(p);
}

static void on_child(void *owner, pid_t pid, int wait_status)
{
	struct program *p = owner;
	void (*over)(void *owner) = p->over;
	void *who = p->owner;

	p->child = (struct ev_ref){ 0 };
	program_free(p);
	if (over)
		over(who);
}

static int start_runner(struct program *p, int stream, struct err *e)
{
	char path[PATH_MAX];
	int r = spawn_find(RUNNER_PROGRAM, COMOSIX_LIBEXECDIR, path, sizeof(path), e);

	return r < 0 ? r : runner_spawn(path, stream, &p->pid, e);
}

int program_start(struct programs *all, const Cmx__Open *m, void (*over)(void *owner), void *owner,
		  struct program **ret, int *ret_fd, struct err *e)
{
	int fds[2], r;

	if (m->kind != CMX__OPEN_KIND__OPEN_EXEC)
		return err_set(e, -ENOENT, "no such task on this node");
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
	if (!r)
		r = start_runner(p, theirs, e);
	if (!r) {
		r = loop_add_child(all->node->loop, p->pid, on_child, p, &p->child);
		if (r < 0) /* it sees its stream end, and nobody reaps it: better than nothing */
			(void)err_set(e, r, "watch the program: %s", strerror(-r));
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
}

unsigned int programs_count(const struct programs *all)
{
	return all->n;
}

int programs_new(struct node *n, struct programs **ret, struct err *e)
{
	struct programs *all = calloc(1, sizeof(*all));

	if (!all)
		return err_set(e, -ENOMEM, "out of memory");
	all->node = n;
	list_init(&all->running);
	*ret = all;
	return 0;
}

void programs_free(struct programs *all)
{
	if (!all)
		return;
	list_for_each_safe(l, &all->running)
		program_free(list_entry(l, struct program, link));
	free(all);
}
