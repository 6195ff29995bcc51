/* SPDX-License-Identifier: GPL-2.0-or-later */
/* names.c - names of users, looked up aside: NSS may ask a server, and the loop does not wait */
#include "node/names.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "loop/loop.h"
#include "os/fd.h"

enum name_state {
	NAME_FREE,
	NAME_ASKED, /* a child runs, others wait */
	NAME_KNOWN,
};

/* what a child says, in one write */
struct answer {
	int error; /* 0 or -errno */
	char text[ERR_TEXT_MAX];
};

struct name {
	struct names *of;
	enum name_state state;
	uid_t uid;
	uint64_t until_ms; /* KNOWN */
	char text[USER_NAME_MAX];
	struct list waiting; /* of struct names_wait */
	pid_t pid;
	int pipe;
	struct ev_ref child, deadline;
};

struct names {
	struct loop *loop;
	names_lookup_fn *lookup;
	struct name rows[NAMES_MAX];
};

/* ---- in a child ---- */

static void NORETURN be_child(names_lookup_fn *lookup, uid_t uid, int to)
{
	struct answer a = { 0 };
	struct user u;
	struct err e;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* else no stream would end for its other side before this does */
	if (dup2(to, 3) < 0)
		_exit(1);
	(void)close_range(4, ~0U, 0);
	a.error = lookup(uid, &u, &e);
	(void)snprintf(a.text, sizeof(a.text), "%s", a.error ? e.text : u.name);
	_exit(write(3, &a, sizeof(a)) != sizeof(a));
}

/* ---- the answer ---- */

static void stop_asking(struct name *n)
{
	loop_remove(n->of->loop, &n->child);
	loop_remove(n->of->loop, &n->deadline);
	fd_close(&n->pipe);
	n->pid = 0;
}

/* an asker may ask again, or go, and others may with it */
static void tell(struct name *n, const char *name, const struct err *why)
{
	struct list all;

	list_init(&all);
	list_for_each_safe (l, &n->waiting) {
		list_del(l);
		list_add(&all, l);
	}
	while (all.next != &all) {
		struct names_wait *w = list_entry(all.next, struct names_wait, link);

		list_del(&w->link);
		w->waits = false;
		w->told(w->owner, name, why);
	}
}

static void on_answer(void *owner, pid_t pid, int wait_status)
{
	struct name *n = owner;
	struct answer a;
	struct err e = { 0 };
	char name[USER_NAME_MAX];
	bool got = read(n->pipe, &a, sizeof(a)) == sizeof(a);

	n->child = (struct ev_ref){ 0 };
	stop_asking(n);
	n->state = NAME_FREE;
	if (!got) {
		(void)err_set(&e, -EIO, "the look-up of uid %u ended without an answer", n->uid);
	} else if (a.error) {
		a.text[sizeof(a.text) - 1] = '\0';
		(void)err_set(&e, a.error, "%s", a.text);
	} else {
		(void)snprintf(n->text, sizeof(n->text), "%s", a.text);
		n->state = NAME_KNOWN;
		n->until_ms = loop_now(n->of->loop) + NAMES_KEEP_MS;
	}
	(void)snprintf(name, sizeof(name), "%s",
		       n->text); /* the row may be another's in a moment */
	tell(n, got && !a.error ? name : NULL, &e);
}

static void end_child(struct name *n)
{
	if (n->pid <= 0)
		return;
	(void)kill(n->pid, SIGKILL);
	while (waitpid(n->pid, NULL, 0) < 0 && errno == EINTR)
		;
}

static void on_deadline(void *owner)
{
	struct name *n = owner;
	struct err e;

	n->deadline = (struct ev_ref){ 0 };
	end_child(n);
	stop_asking(n);
	n->state = NAME_FREE;
	(void)err_set(&e, -ETIMEDOUT,
		      "the user database of this node says nothing about uid %u; see getent(1)",
		      n->uid);
	tell(n, NULL, &e);
}

/* ---- asking ---- */

static int start(struct name *n, struct err *e)
{
	struct loop *l = n->of->loop;
	int fds[2], r;

	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
		return err_set(e, -errno, "pipe: %s", strerror(errno));
	AUTO_CLOSE int ours = fds[0], theirs = fds[1];

	n->pid = fork();
	if (n->pid == 0)
		be_child(n->of->lookup, n->uid, theirs);
	if (n->pid < 0)
		return err_set(e, -errno, "fork: %s", strerror(errno));
	r = loop_add_child(l, n->pid, on_answer, n, &n->child);
	if (!r)
		r = loop_add_timer(l, loop_now(l) + NAMES_WAIT_MS, on_deadline, n, &n->deadline);
	if (r < 0) {
		end_child(n);
		stop_asking(n);
		return err_set(e, r, "watch a look-up: %s", strerror(-r));
	}
	n->pipe = fd_take(&ours);
	n->state = NAME_ASKED;
	return 0;
}

/* the row of this uid, else one to take: free, or the one that is known for the longest time */
static struct name *find(struct names *all, uid_t uid)
{
	struct name *take = NULL;

	for (size_t i = 0; i < NAMES_MAX; i++) {
		struct name *n = &all->rows[i];

		if (n->state == NAME_KNOWN && n->until_ms <= loop_now(all->loop))
			n->state = NAME_FREE;
		if (n->state != NAME_FREE && n->uid == uid)
			return n;
		if (n->state == NAME_ASKED)
			continue;
		if (!take || (take->state == NAME_KNOWN &&
			      (n->state == NAME_FREE || n->until_ms < take->until_ms)))
			take = n;
	}
	if (take)
		take->state = NAME_FREE;
	return take;
}

int names_ask(struct names *all, uid_t uid, struct names_wait *w, struct err *e)
{
	struct name *n = find(all, uid);
	int r = 0;

	if (!n)
		return err_set(e, -EBUSY,
			       "too many users are being looked up on this node; try again later");
	if (n->state == NAME_KNOWN) {
		char name[USER_NAME_MAX];

		(void)snprintf(name, sizeof(name), "%s", n->text);
		w->told(w->owner, name, NULL);
		return 0;
	}
	if (n->state == NAME_FREE) {
		n->uid = uid;
		r = start(n, e);
	}
	if (!r) {
		list_add(&n->waiting, &w->link);
		w->waits = true;
	}
	return r;
}

void names_forget(struct names_wait *w)
{
	if (w->waits)
		list_del(&w->link);
	w->waits = false;
}

int names_new(struct loop *l, names_lookup_fn *lookup, struct names **ret, struct err *e)
{
	struct names *all = calloc(1, sizeof(*all));

	if (!all)
		return err_set(e, -ENOMEM, "out of memory");
	all->loop = l;
	all->lookup = lookup;
	for (size_t i = 0; i < NAMES_MAX; i++) {
		all->rows[i].of = all;
		all->rows[i].pipe = -1;
		list_init(&all->rows[i].waiting);
	}
	*ret = all;
	return 0;
}

void names_free(struct names *all)
{
	if (!all)
		return;
	for (size_t i = 0; i < NAMES_MAX; i++) {
		struct name *n = &all->rows[i];

		list_for_each_safe (w, &n->waiting)
			names_forget(list_entry(w, struct names_wait, link));
		end_child(n);
		stop_asking(n);
	}
	free(all);
}
