/* SPDX-License-Identifier: GPL-2.0-or-later */
/* watch.c - commands that ordered a move, and those who want to know which processes are away */
#include <errno.h>

#include "log/log.h"
#include "net/conn.h"
#include "node/approach.h"
#include "node/census.h"
#include "node/directory.h"
#include "node/errand.h"
#include "node/greeting.h"
#include "node/move.h"
#include "node/node.h"
#include "wire/message.h"

#define WATCHERS_MAX 512

enum wish {
	WISH_AWAY,    /* until it runs at the host */
	WISH_HOME,    /* until it is home */
	WISH_LIST,    /* MOVES with follow: until the client goes */
	WISH_CLUSTER, /* the same, of all nodes: what is at home there or here */
};

struct watcher {
	struct list link;
	struct moves *all;
	struct conn *conn;
	enum wish wish;
	const struct move *move;	/* of an order */
	uint32_t uid;			/* whose moves are told; 0: all */
	uint32_t pid;			/* 0: all */
	struct errand *errand;		/* the new host is asked, and then ... */
	char to[IDENTITY_NAME_MAX + 1]; /* ... its process is to go there */
};

static void watcher_free(struct watcher *w)
{
	list_del(&w->link);
	w->all->n_watchers--;
	errand_free(w->errand);
	conn_free(w->conn);
	free(w);
}

/* what it was told is all */
static void watcher_finish(struct watcher *w)
{
	struct conn *c = w->conn;

	w->conn = NULL;
	watcher_free(w);
	conn_linger(c);
}

/* ---- what they are told ---- */

static int send_info(struct watcher *w, const struct move *m, uint32_t fate)
{
	const char *self = w->all->node->self.name;
	Cmx__MoveInfo i = CMX__MOVE_INFO__INIT;

	i.move_id = (ProtobufCBinaryData){ .data = (uint8_t *)m->id, .len = HALF_ID_LEN };
	i.guest = m->guest;
	i.pid = (uint32_t)m->process.pid;
	i.uid = m->process.uid;
	i.user = (char *)m->user;
	i.home = (char *)(m->guest ? m->peer_name : self);
	i.node = (char *)(m->guest ? self : m->peer_name);
	i.stage = (uint32_t)m->stage;
	i.bytes_done = m->bytes_done;
	i.bytes_all = m->bytes_all;
	i.freeze_us = m->freeze_us;
	i.job = m->process.job != PROCESS_NO_JOB;
	i.since = m->since;
	i.command = (char *)m->process.command;
	i.text = (char *)m->text;
	i.fate = fate;
	/* of one that has ended: it was so, and what follows is in the text */
	i.again = move_goes_again(m) || m->for_call ||
		  (m->outs && fate == CMX__HALF_FATE__FATE_STAYED);
	return conn_send_message(w->conn, FRAME_MOVE, &i);
}

static bool may_see(const struct watcher *w, const struct move *m)
{
	if (w->wish == WISH_CLUSTER)
		return m->known && !m->guest;
	return m->known && (!w->uid || w->uid == m->process.uid) &&
	       (!w->pid || (!m->guest && w->pid == (uint32_t)m->process.pid));
}

static int send_state(struct watcher *w, const struct move *m)
{
	Cmx__HalfState s = CMX__HALF_STATE__INIT;
	Cmx__Half h = CMX__HALF__INIT;

	s.stage = m->stage;
	s.bytes_done = m->bytes_done;
	s.bytes_all = m->bytes_all;
	s.freeze_us = m->freeze_us;
	s.text = (char *)m->text;
	s.again = move_goes_again(m);
	h.body_case = CMX__HALF__BODY_STATE;
	h.state = &s;
	return conn_send_message(w->conn, FRAME_HALF, &h);
}

static void finish(struct watcher *w, const Cmx__HalfEnd *end)
{
	Cmx__Half h = CMX__HALF__INIT;

	h.body_case = CMX__HALF__BODY_END;
	h.end = (Cmx__HalfEnd *)end; /* only read */
	if (conn_send_message(w->conn, FRAME_HALF, &h) < 0)
		watcher_free(w);
	else
		watcher_finish(w);
}

static void finish_well(struct watcher *w, Cmx__HalfFate fate, const char *fmt, const char *node)
{
	Cmx__HalfEnd end = CMX__HALF_END__INIT;
	char text[160];

	(void)snprintf(text, sizeof(text), "%s%s", fmt, node);
	end.text = text;
	end.fate = fate;
	finish(w, &end);
}

void watch_state(struct moves *all, const struct move *m)
{
	list_for_each_safe (l, &all->watchers) {
		struct watcher *w = list_entry(l, struct watcher, link);

		if (w->wish >= WISH_LIST && may_see(w, m)) {
			if (send_info(w, m, 0) < 0)
				watcher_free(w); /* a change must not be missed: it asks again */
		} else if (w->move == m) {
			if (send_state(w, m) < 0)
				watcher_free(w);
			else if (w->wish == WISH_AWAY && m->stage == CMX__HALF_STAGE__STAGE_AWAY &&
				 !m->then[0])
				finish_well(w, CMX__HALF_FATE__FATE_NONE, "it runs at ",
					    m->peer_name);
		}
	}
}

/* the end of a half, in the words of the one who waits for another thing */
static void finish_over(struct watcher *w, const Cmx__HalfEnd *end)
{
	Cmx__HalfEnd other = *end;

	if (w->wish == WISH_HOME && end->fate == CMX__HALF_FATE__FATE_HOME && !end->status) {
		other.text = (char *)"it is home";
	} else if (w->wish == WISH_HOME && end->fate == CMX__HALF_FATE__FATE_STAYED) {
		other.status = 0;
		other.text = (char *)"it is at home";
	} else if (!other.status) {
		other.status = 1;
	}
	if (end->fate == CMX__HALF_FATE__FATE_EXITED && !end->text[0])
		other.text = (char *)"it has ended";
	finish(w, &other);
}

void watch_over(struct moves *all, const struct move *m, const Cmx__HalfEnd *end)
{
	list_for_each_safe (l, &all->watchers) {
		struct watcher *w = list_entry(l, struct watcher, link);

		if (w->wish >= WISH_LIST && may_see(w, m)) {
			if (send_info(w, m, (uint32_t)end->fate) < 0)
				watcher_free(w);
		} else if (w->move == m) {
			finish_over(w, end);
		}
	}
}

void watch_census(void *moves, const Cmx__MoveInfo *m)
{
	struct moves *all = moves;

	list_for_each_safe (l, &all->watchers) {
		struct watcher *w = list_entry(l, struct watcher, link);

		if (w->wish == WISH_CLUSTER && conn_send_message(w->conn, FRAME_MOVE, m) < 0)
			watcher_free(w);
	}
}

void watch_passed_on(struct moves *all, const struct move *m, struct move *next)
{
	list_for_each (l, &all->watchers) {
		struct watcher *w = list_entry(l, struct watcher, link);

		if (w->move == m)
			w->move = next;
	}
}

/* ---- the clients ---- */

static void on_nothing(void *owner)
{
}

/* it has nothing to say but that it goes; the move goes on */
static void on_received(void *owner)
{
	struct watcher *w = owner;
	struct buf *in = conn_in(w->conn);

	buf_eat(in, in->len);
	conn_ate(w->conn);
	if (conn_ended(w->conn))
		watcher_free(w);
}

static void on_closed(void *owner, const struct err *why)
{
	watcher_free(owner);
}

static const struct conn_ops watcher_ops = {
	.opened = on_nothing,
	.received = on_received,
	.closed = on_closed,
};

/* NULL: it has been refused */
static struct watcher *watcher_new(struct moves *all, struct conn *c, uint32_t uid)
{
	struct watcher *w = all->n_watchers < WATCHERS_MAX ? calloc(1, sizeof(*w)) : NULL;

	if (!w) {
		greeting_refuse(c, 1, "too many commands wait on this node; try again later");
		return NULL;
	}
	w->all = all;
	w->conn = c;
	w->uid = uid;
	list_add(&all->watchers, &w->link);
	all->n_watchers++;
	conn_own(c, &watcher_ops, w);
	return w;
}

static void refuse(struct watcher *w, int status, const char *text)
{
	struct conn *c = w->conn;

	w->conn = NULL;
	watcher_free(w);
	greeting_refuse(c, status, text);
}

static int accept_order(struct watcher *w)
{
	Cmx__OpenOk ok = CMX__OPEN_OK__INIT;

	ok.node = w->all->node->self.name;
	return conn_send_message(w->conn, FRAME_OPEN_OK, &ok);
}

/* ---- MIGRATE ---- */

/* it comes home, and goes on to "to" from there ("": stays) */
static void fetch(struct watcher *w, struct move *m, const char *to)
{
	bool comes = m->at_home && to[0]; /* as soon as its call is over */
	struct err e;

	/* a deputy that does not listen any more has just ended: how is told as soon as it is reaped */
	if (!comes && half_home(m->half, &e) < 0 && e.code != -EPIPE) {
		refuse(w, 1, e.text);
		return;
	}
	m->recalled = true;
	(void)snprintf(m->then, sizeof(m->then), "%s", to);
	if (accept_order(w) < 0 || send_state(w, m) < 0)
		watcher_free(w);
}

/* a process that is at home; user: its owner's name, NULL when it is not known */
static void order_first(struct watcher *w, const struct process *p, const char *user,
			const char *to, bool post_copy)
{
	struct move *move;
	struct err e;
	int status = 1;

	if (!strcmp(to, "home") || !strcmp(to, w->all->node->self.name)) {
		if (accept_order(w) < 0)
			watcher_free(w);
		else
			finish_well(w, CMX__HALF_FATE__FATE_NONE, "it is at home", "");
		return;
	}
	if (p->uid < 1000) {
		refuse(w, 5,
		       "processes of system accounts (uid below 1000) stay at home; no other node "
		       "honours them");
		return;
	}
	if (depart(w->all, p, user, to, &move, &status, &e) < 0) {
		refuse(w, status, e.text);
		return;
	}
	move->post_copy = post_copy;
	w->wish = WISH_AWAY;
	w->move = move;
	if (accept_order(w) < 0 || send_state(w, move) < 0)
		watcher_free(w);
}

/* on its way out again, and its node is being reached: it can as well go to another one */
static bool may_turn_aside(const struct move *m, const char *to)
{
	return !m->half && move_goes_again(m) && strcmp(to, "home") != 0 &&
	       strcmp(to, m->all->node->self.name) != 0 && strcmp(to, "best") != 0 &&
	       strcmp(to, m->peer_name) != 0;
}

static void turn_aside(struct watcher *w, struct move *m, const char *to)
{
	char user[USER_NAME_MAX], aside[IDENTITY_NAME_MAX + 1];
	bool post_copy = m->post_copy;
	struct process p;
	struct err e;

	if (process_look(m->process.pid, &p, &e) < 0) {
		refuse(w, 4, e.text);
		return;
	}
	/* both may be the move's */
	(void)snprintf(user, sizeof(user), "%s", m->user);
	(void)snprintf(aside, sizeof(aside), "%s", to);
	depart_cancel(m, "it was sent to another node");
	order_first(w, &p, user, aside, post_copy);
}

/* the new host has said whether it takes it */
static void on_asked(void *owner, int status, const struct err *why)
{
	struct watcher *w = owner;
	struct move *m = move_by_pid(w->all, w->pid);
	char text[ERR_TEXT_MAX];

	w->errand = NULL;
	if (status) {
		(void)snprintf(text, sizeof(text), "%s; it stays where it is", why->text);
		refuse(w, status, text);
	} else if (m && may_turn_aside(m, w->to)) {
		turn_aside(w, m, w->to);
	} else if (!m || !m->half || m->then[0]) {
		refuse(w, 1, "it has ended or moved meanwhile; see mps");
	} else {
		w->move = m;
		fetch(w, m, w->to);
	}
}

/* before it leaves the node where it is: would the other one take it? */
static void ask_first(struct watcher *w, const struct move *m, const char *to)
{
	const struct dir_entry *d = NULL;
	int status = 1;
	struct err e;

	w->move = NULL; /* nothing of it is told before its order is accepted */
	w->pid = (uint32_t)m->process.pid;
	(void)snprintf(w->to, sizeof(w->to), "%s", to);
	if (depart_choose(w->all, &m->process, to, &d, &status, &e) < 0)
		refuse(w, status, e.text);
	else if (errand_new(w->all, m, ERRAND_ASK, d->id, d->name, on_asked, w, &w->errand, &e) < 0)
		refuse(w, 1, e.text);
}

/* a process that is away already */
static void order_again(struct watcher *w, struct move *m, const char *to)
{
	bool home = !strcmp(to, "home") || !strcmp(to, w->all->node->self.name);

	w->wish = home ? WISH_HOME : WISH_AWAY;
	w->move = m;
	if (!home && m->then[0]) {
		refuse(w, 1, "it is on its way already; see mps");
		return;
	}
	if (!home && (!strcmp(to, m->peer_name) || !strcmp(to, "best"))) {
		if (accept_order(w) < 0)
			watcher_free(w);
		else
			watch_state(w->all, m); /* ends it when it is there */
		return;
	}
	if (!m->half && home) {
		if (accept_order(w) < 0)
			watcher_free(w);
		depart_cancel(m, "it was called home");
		return;
	}
	if (!m->half) {
		refuse(w, 1, "its node is being reached; try again in a moment");
		return;
	}
	if (!home && strlen(to) >= sizeof(m->then)) {
		refuse(w, 4, "no node has such a name; see 'comosix nodes'");
		return;
	}
	if (home)
		fetch(w, m, "");
	else
		ask_first(w, m, to);
}

static void order(struct watcher *w, const Cmx__Open *m)
{
	AUTO_MESSAGE Cmx__MigrateRequest *rq = message_get(&cmx__migrate_request__descriptor,
							   m->body.data, m->body.len, NULL);
	struct process p;
	struct move *move;
	struct err e;
	int r;

	if (!rq || !rq->to[0] || rq->pid > INT32_MAX) {
		refuse(w, 1, "that is no MIGRATE request");
		return;
	}
	r = process_look((pid_t)rq->pid, &p, &e);
	if (r < 0) {
		refuse(w, r == -ESRCH ? 4 : r == -EPERM ? 5 : 1, e.text);
		return;
	}
	if (m->uid && p.uid != m->uid) {
		refuse(w, 5, "it is not yours: only its owner or root may move a process");
		return;
	}
	move = move_by_pid(w->all, rq->pid);
	if (!move) {
		/* m->user is who gave the order: root may do it for others */
		order_first(w, &p, p.uid == m->uid ? m->user : NULL, rq->to, rq->post_copy);
		return;
	}
	move->post_copy = rq->post_copy; /* when it goes on from home */
	if (may_turn_aside(move, rq->to))
		turn_aside(w, move, rq->to);
	else
		order_again(w, move, rq->to);
}

/* ---- MOVES ---- */

static int send_row(void *owner, const Cmx__MoveInfo *m)
{
	struct watcher *w = owner;

	return conn_send_message(w->conn, FRAME_MOVE, m);
}

static void list_moves(struct watcher *w, const Cmx__Open *m)
{
	AUTO_MESSAGE Cmx__MovesRequest *rq = message_get(&cmx__moves_request__descriptor,
							 m->body.data, m->body.len, NULL);
	Cmx__MoveInfo end = CMX__MOVE_INFO__INIT;
	int r;

	if (!rq) {
		refuse(w, 1, "that is no MOVES request");
		return;
	}
	if (rq->cluster && w->uid) {
		refuse(w, 5, "which processes of all nodes are away is told to root only");
		return;
	}
	w->wish = rq->cluster ? WISH_CLUSTER : WISH_LIST;
	w->pid = rq->pid;
	r = accept_order(w);
	list_for_each (l, &w->all->moves) {
		const struct move *move = list_entry(l, struct move, link);

		if (!r && may_see(w, move))
			r = send_info(w, move, 0);
	}
	if (!r && rq->cluster)
		r = census_each(w->all->census, send_row, w);
	end.end_of_snapshot = true;
	if (!r)
		r = conn_send_message(w->conn, FRAME_MOVE, &end);
	if (r < 0)
		watcher_free(w);
	else if (!rq->follow)
		watcher_finish(w);
}

void moves_command(struct moves *all, struct conn *c, const Cmx__Open *m)
{
	struct watcher *w = watcher_new(all, c, m->uid);

	if (!w)
		return;
	w->wish = WISH_AWAY;
	if (m->kind == CMX__OPEN_KIND__OPEN_MIGRATE)
		order(w, m);
	else
		list_moves(w, m);
}

void watch_close(struct moves *all)
{
	list_for_each_safe (l, &all->watchers)
		watcher_free(list_entry(l, struct watcher, link));
}
