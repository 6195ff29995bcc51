/* SPDX-License-Identifier: GPL-2.0-or-later */
/* relay.c - nodes that have outgoing connections only */
#include "node/relay.h"

#include <errno.h>

#include "base/list.h"
#include "log/log.h"
#include "loop/loop.h"
#include "net/conn.h"
#include "net/splice.h"
#include "node/dial.h"
#include "node/expel.h"
#include "node/greeting.h"
#include "node/inbound.h"
#include "node/membership.h"
#include "node/node.h"
#include "node/revoked.h"
#include "os/clock.h"
#include "os/rand.h"
#include "wire/message.h"

#define SAY_MS	     10000
#define SAY_MAX	     32	    /* lines about CONTROL connections in that time */
#define CONTROL_HIGH 131072 /* gossip is dropped while so much waits for the peer */

/* a CONTROL connection, either end of it */
struct control {
	struct list link;
	struct relay *relay;
	struct conn *conn;
	uint32_t id;
	char name[IDENTITY_NAME_MAX + 1];
};

/* a call without an answer yet */
struct relay_wait {
	struct list link;
	struct relay *relay;
	uint64_t call;
	uint32_t target;
	struct ev_ref timer;
	void (*fn)(void *owner, struct conn *c, const struct err *why);
	void *owner;
};

/* a peer that wants a node of ours, until the node has called back */
struct asker {
	struct list link;
	struct relay *relay;
	struct conn *conn;
	struct relay_wait *wait;
};

/* we are the node: a call being answered */
struct accept {
	struct list link;
	struct relay *relay;
	struct dial *dial;
	struct conn *conn;
};

struct relay {
	struct node *node;
	struct list controls, waits, askers, accepts;
	unsigned int n_controls, n_waits, n_accepts;
	uint64_t said_from_ms;
	unsigned int said; /* lines in the log since then */
};

static struct control *find(const struct relay *r, uint32_t id)
{
	list_for_each (l, &r->controls)
		if (list_entry(l, struct control, link)->id == id)
			return list_entry(l, struct control, link);
	return NULL;
}

bool relay_holds(const struct relay *r, uint32_t id)
{
	return find(r, id) != NULL;
}

/* ---- answering a call (we have outgoing connections only) ---- */

static void accept_free(struct accept *a)
{
	dial_free(a->dial);
	conn_free(a->conn);
	list_del(&a->link);
	a->relay->n_accepts--;
	free(a);
}

static void accept_closed(void *owner, const struct err *why)
{
	accept_free(owner);
}

/* OPEN_OK: from here on the stream is the asker's, who begins TLS as a client */
static void accept_received(void *owner)
{
	struct accept *a = owner;
	struct node *n = a->relay->node;
	struct conn *c = a->conn;
	struct frame f;
	struct err e;
	int r = frame_take(conn_in(c), &f, &e);

	if (r == 0 && !conn_ended(c))
		return;
	if (r == 1 && f.type == FRAME_OPEN_OK) {
		buf_eat(conn_in(c), FRAME_HEADER + f.len);
		a->conn = NULL;
		inbound_adopt(n->inbound, c, "a relay");
	}
	accept_free(a);
}

static void nothing(void *owner)
{
}

static const struct conn_ops accept_ops = {
	.opened = nothing,
	.received = accept_received,
	.closed = accept_closed,
};

static void accept_ready(void *owner, struct conn *c, const Cmx__Hello *h)
{
	struct accept *a = owner;

	a->dial = NULL;
	a->conn = c;
	conn_own(c, &accept_ops, a);
	conn_deadline(c, loop_now(a->relay->node->loop) + RELAY_CALL_MS);
}

static void accept_failed(void *owner, int status, const struct err *why)
{
	struct accept *a = owner;

	log_debug("answer a relayed call: %s", why->text);
	a->dial = NULL;
	accept_free(a);
}

static const struct dial_ops accept_dial_ops = { .ready = accept_ready, .failed = accept_failed };

static void answer(struct relay *r, uint32_t server, const struct frame *f)
{
	AUTO_MESSAGE Cmx__RelayCall *call = message_get(&cmx__relay_call__descriptor, f->payload,
							f->len, NULL);
	struct accept *a;
	struct err e;

	if (!call || r->n_accepts >= RELAY_ACCEPTS_MAX)
		return; /* the asker's deadline tells it */
	a = calloc(1, sizeof(*a));
	if (!a)
		return;
	a->relay = r;
	list_add(&r->accepts, &a->link);
	r->n_accepts++;
	if (dial_new(r->node,
		     &(struct dial_order){
			     .id = server, .want = CMX__WANT__WANT_ACCEPT, .call = call->call },
		     &accept_dial_ops, a, &a->dial, &e) < 0)
		accept_free(a);
}

/* ---- CONTROL ---- */

static void control_free(struct control *c)
{
	struct relay *r = c->relay;
	uint32_t id = c->id;

	list_del(&c->link);
	r->n_controls--;
	conn_free(c->conn);
	free(c);
	membership_link(r->node->membership, id, false);
}

/* a node that comes and goes all the time shall not fill the log */
static void tell_log(struct control *c, const char *what, const char *why)
{
	struct relay *r = c->relay;
	uint64_t now = loop_now(r->node->loop);

	if (now - r->said_from_ms > SAY_MS) {
		r->said_from_ms = now;
		r->said = 0;
	}
	if (r->said++ < SAY_MAX)
		log_info("CONTROL with %s %s%s%s", c->name, what, why[0] ? ": " : "", why);
}

static void control_frame(struct control *c, const struct frame *f)
{
	struct node *n = c->relay->node;

	switch ((unsigned int)f->type) {
	case FRAME_GOSSIP:
		membership_heard(n->membership, c->id, f->payload, f->len);
		break;
	case FRAME_RELAY_CALL:
		if (n->set.relayed)
			answer(c->relay, c->id, f);
		break;
	case FRAME_STATEMENT:
		expel_take(n, f->payload, f->len, c->id);
		break;
	case FRAME_PING:
		(void)!conn_send_frame(c->conn, FRAME_PONG, NULL, 0); /* it will ask again */
		break;
	default:
		break; /* of a later version */
	}
}

static void control_received(void *owner)
{
	struct control *c = owner;
	struct relay *r = c->relay;
	uint32_t id = c->id;
	struct frame f;
	struct err e;
	int got = 0;

	for (;;) {
		/* a revocation list in a frame may have ended this very connection */
		if (find(r, id) != c)
			return;
		got = frame_take(conn_in(c->conn), &f, &e);
		if (got != 1)
			break;
		control_frame(c, &f);
		if (find(r, id) == c)
			buf_eat(conn_in(c->conn), FRAME_HEADER + f.len);
	}
	conn_ate(c->conn);
	if (got < 0)
		log_warn("CONTROL of %s: %s; closed", c->name, e.text);
	if (got < 0 || conn_ended(c->conn))
		control_free(c);
}

static void control_closed(void *owner, const struct err *why)
{
	struct control *c = owner;

	tell_log(c, "ended", why->text);
	control_free(c);
}

static const struct conn_ops control_ops = {
	.opened = nothing,
	.received = control_received,
	.closed = control_closed,
};

void relay_control(struct relay *r, struct conn *conn, const Cmx__Hello *h)
{
	const struct identity *peer = conn_peer(conn);
	struct control *old = find(r, peer->id), *c;
	const void *st;
	int64_t left_s;
	size_t len;

	if (old)
		control_free(old); /* the node came again: the old one is dead, or soon will be */
	c = r->n_controls < RELAY_CONTROLS_MAX ? calloc(1, sizeof(*c)) : NULL;
	if (!c) {
		greeting_refuse(conn, 1, "too many relayed nodes here; ask another server");
		return;
	}
	c->relay = r;
	c->conn = conn;
	c->id = peer->id;
	(void)snprintf(c->name, sizeof(c->name), "%s", peer->name);
	list_add(&r->controls, &c->link);
	r->n_controls++;
	/* who comes back after that shows a certificate that is still good */
	left_s = peer->not_after - clock_wall_s();
	conn_deadline(conn, loop_now(r->node->loop) + (uint64_t)(left_s > 1 ? left_s : 1) * 1000);
	conn_own(conn, &control_ops, c);
	tell_log(c, "is up", "");
	membership_link(r->node->membership, c->id, true);
	membership_paired(r->node->membership, c->id);
	st = revoked_statement(r->node->revoked, &len);
	if (st && revoked_epoch(r->node->revoked) > h->revocation_epoch)
		(void)!conn_send_frame(conn, FRAME_STATEMENT, st,
				       len); /* nothing waits there yet */
}

int relay_send(struct relay *r, uint32_t id, const void *p, size_t n)
{
	struct control *c = find(r, id);

	if (!c)
		return -ENOTCONN;
	if (CONN_OUT_MAX - conn_room(c->conn) > CONTROL_HIGH)
		return -ENOBUFS;
	return conn_send_frame(c->conn, FRAME_GOSSIP, p, n);
}

void relay_send_statement(struct relay *r, const void *p, size_t n)
{
	list_for_each (l, &r->controls)
		(void)!conn_send_frame(list_entry(l, struct control, link)->conn, FRAME_STATEMENT,
				       p, n); /* full: notices will bring it later */
}

/* ---- calls ---- */

void relay_wait_free(struct relay_wait *w)
{
	if (!w)
		return;
	loop_remove(w->relay->node->loop, &w->timer);
	list_del(&w->link);
	w->relay->n_waits--;
	free(w);
}

static void tell(struct relay_wait *w, struct conn *c, const struct err *why)
{
	void (*fn)(void *owner, struct conn *c, const struct err *why) = w->fn;
	void *owner = w->owner;

	relay_wait_free(w);
	fn(owner, c, why);
}

static void no_answer(void *owner)
{
	struct relay_wait *w = owner;
	struct err e;

	w->timer = (struct ev_ref){ 0 };
	(void)err_set(&e, -ETIMEDOUT, "the node did not answer the relay's call");
	tell(w, NULL, &e);
}

int relay_call(struct relay *r, uint32_t target, uint32_t from,
	       void (*fn)(void *owner, struct conn *c, const struct err *why), void *owner,
	       struct relay_wait **ret, struct err *e)
{
	Cmx__RelayCall m = CMX__RELAY_CALL__INIT;
	struct control *c = find(r, target);
	struct relay_wait *w;
	int err;

	if (!c)
		return err_set(e, -ENOTCONN, "this server is not in touch with that node");
	if (r->n_waits >= RELAY_WAITS_MAX)
		return err_set(e, -EBUSY, "this server relays too much just now; try again");
	w = calloc(1, sizeof(*w));
	if (!w)
		return err_set(e, -ENOMEM, "out of memory");
	*w = (struct relay_wait){
		.relay = r, .call = rand_u64(), .target = target, .fn = fn, .owner = owner
	};
	list_add(&r->waits, &w->link);
	r->n_waits++;
	m.call = w->call;
	m.from = from;
	err = conn_send_message(c->conn, FRAME_RELAY_CALL, &m);
	if (!err)
		err = loop_add_timer(r->node->loop, loop_now(r->node->loop) + RELAY_CALL_MS,
				     no_answer, w, &w->timer);
	if (err < 0) {
		relay_wait_free(w);
		return err_set(e, err, "call the node: %s", strerror(-err));
	}
	*ret = w;
	return 0;
}

static int say_ok(struct node *n, struct conn *c, bool hello)
{
	Cmx__OpenOk ok = CMX__OPEN_OK__INIT;
	int r = hello ? greeting_send(n, c, CMX__WANT__WANT_NONE, 0, 0) : 0;

	ok.node = n->self.name;
	return r < 0 ? r : conn_send_message(c, FRAME_OPEN_OK, &ok);
}

void relay_accept(struct relay *r, struct conn *c, const Cmx__Hello *h)
{
	list_for_each (l, &r->waits) {
		struct relay_wait *w = list_entry(l, struct relay_wait, link);

		if (w->call != h->call || w->target != conn_peer(c)->id)
			continue;
		if (say_ok(r->node, c, true) < 0) {
			conn_free(c);
			return;
		}
		conn_deadline(c, 0);
		tell(w, c, NULL);
		return;
	}
	greeting_refuse(c, 4, "nobody waits for that call any more");
}

/* ---- a peer that wants a node of ours ---- */

static void asker_free(struct asker *a)
{
	relay_wait_free(a->wait);
	conn_free(a->conn);
	list_del(&a->link);
	free(a);
}

static void asker_closed(void *owner, const struct err *why)
{
	asker_free(owner);
}

static void asker_received(void *owner)
{
	struct asker *a = owner;

	/* it has to wait for OPEN_OK; what it sends meanwhile stays where it is */
	if (conn_ended(a->conn))
		asker_free(a);
}

static const struct conn_ops asker_ops = {
	.opened = nothing,
	.received = asker_received,
	.closed = asker_closed,
};

static void asker_called(void *owner, struct conn *c, const struct err *why)
{
	struct asker *a = owner;
	struct relay *r = a->relay;
	struct conn *peer = a->conn;

	a->wait = NULL;
	a->conn = NULL;
	asker_free(a);
	if (!c) {
		greeting_refuse(peer, 6, why->text);
		return;
	}
	if (say_ok(r->node, peer, false) < 0 || splice_new(peer, c, NULL, NULL, NULL) < 0) {
		conn_free(peer);
		conn_free(c);
		return;
	}
	count(&r->node->counters, COUNT_relayed_streams);
}

void relay_ask(struct relay *r, struct conn *c, const Cmx__Hello *h)
{
	struct asker *a = calloc(1, sizeof(*a));
	struct err e;

	if (!a) {
		conn_free(c);
		return;
	}
	a->relay = r;
	list_add(&r->askers, &a->link);
	if (relay_call(r, h->target, conn_peer(c)->id, asker_called, a, &a->wait, &e) < 0) {
		greeting_refuse(c, 4, e.text);
		asker_free(a);
		return;
	}
	a->conn = c;
	conn_own(c, &asker_ops, a);
	conn_deadline(c, 0); /* relay_call() has its own */
	if (greeting_send(r->node, c, CMX__WANT__WANT_NONE, 0, 0) < 0)
		asker_free(a);
}

/* ---- life ---- */

void relay_drop(struct relay *r, uint32_t id)
{
	struct control *c = find(r, id);

	if (c)
		control_free(c);
}

int relay_new(struct node *n, struct relay **ret)
{
	struct relay *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->node = n;
	list_init(&r->controls);
	list_init(&r->waits);
	list_init(&r->askers);
	list_init(&r->accepts);
	*ret = r;
	return 0;
}

void relay_free(struct relay *r)
{
	if (!r)
		return;
	list_for_each_safe (l, &r->accepts)
		accept_free(list_entry(l, struct accept, link));
	list_for_each_safe (a, &r->askers)
		asker_free(list_entry(a, struct asker, link));
	list_for_each_safe (c, &r->controls)
		control_free(list_entry(c, struct control, link));
	free(r);
}
