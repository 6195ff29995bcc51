/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dial.c - reach another node: connect, TLS, HELLO; through a server when it has to be */
#include "node/dial.h"

#include <errno.h>
#include <stdbool.h>

#include "log/log.h"
#include "loop/loop.h"
#include "net/conn.h"
#include "node/directory.h"
#include "node/greeting.h"
#include "node/membership.h"
#include "node/node.h"
#include "node/relay.h"
#include "node/revoked.h"
#include "os/fd.h"
#include "wire/message.h"

#define RELAYS_MAX 8
#define HELLO_MS   5000
#define RELAY_MS   6000 /* for the relay to get the node's answer */

/*
 *	DIRECT  --TLS--> GREETING --HELLO--> ready()
 *	RELAY   --TLS--> ASKING  --HELLO, OPEN_OK--> INNER --TLS--> GREETING --HELLO--> ready()
 *	CALLING --the node calls back--> INNER ...        (we are the relay ourselves)
 */
enum stage {
	DIAL_DIRECT,
	DIAL_RELAY,
	DIAL_CALLING,
	DIAL_ASKING,
	DIAL_INNER,
	DIAL_GREETING,
};

struct dial {
	struct node *node;
	struct dial_order order;
	const struct dial_ops *ops;
	void *owner;
	enum stage stage;
	struct conn *conn;
	struct relay_wait *wait;
	uint32_t relays[RELAYS_MAX]; /* to be tried */
	unsigned int n_relays, at;
	struct sock_addr addr; /* DIRECT */
	bool relay_greeted;
};

static const struct conn_ops dial_conn_ops;

void dial_free(struct dial *d)
{
	if (!d)
		return;
	relay_wait_free(d->wait);
	conn_free(d->conn);
	free(d);
}

static void fail(struct dial *d, int status, const struct err *why)
{
	const struct dial_ops *ops = d->ops;
	void *owner = d->owner;
	struct err copy = *why;

	dial_free(d);
	ops->failed(owner, status, &copy);
}

static int check_peer(void *owner, const struct identity *peer, struct err *e)
{
	struct dial *d = owner;
	uint32_t want = d->stage == DIAL_RELAY ? d->relays[d->at - 1] : d->order.id;

	if (peer->id != want)
		return err_set(e, -EACCES, "%s (%u) answers there instead of %u", peer->name,
			       peer->id, want);
	if (revoked_has(d->node->revoked, peer->id))
		return err_set(e, -EKEYREVOKED, "%s is revoked", peer->name);
	return 0;
}

static int connect_to(struct dial *d, const struct sock_addr *a, struct err *e)
{
	AUTO_CLOSE int fd = -1;
	int r = sock_tcp_connect(a, &fd, e);

	if (!r)
		r = sock_tcp_alive(fd, CONN_DEAD_PEER_MS, e);
	if (!r)
		r = conn_new(d->node->loop, fd, &dial_conn_ops, d, &d->conn, e);
	if (r < 0)
		return r;
	(void)fd_take(&fd); /* the connection's now */
	count(&d->node->counters, COUNT_connections_out);
	return conn_secure(d->conn, d->node->creds, true, check_peer, d, e);
}

/* the next relay that might know the node; -ENOENT: none left */
static int try_relay(struct dial *d, struct err *e)
{
	while (d->at < d->n_relays) {
		const struct dir_entry *r = directory_get(d->node->directory, d->relays[d->at++]);

		conn_free(d->conn);
		d->conn = NULL;
		d->relay_greeted = false;
		d->stage = DIAL_RELAY;
		if (r && r->known_address && connect_to(d, &r->addr, e) == 0)
			return 0;
	}
	return err_set(e, -ENOENT,
		       "no server is in touch with it; it has outgoing connections only");
}

static void list_relays(struct dial *d)
{
	const struct directory *dir = d->node->directory;

	/* the head first: each relayed node keeps in touch with it */
	for (int head = 1; head >= 0; head--)
		for (uint32_t i = 0; i < directory_count(dir) && d->n_relays < RELAYS_MAX; i++) {
			const struct dir_entry *r = directory_at(dir, i);

			if ((r->role == ROLE_HEAD) == head && role_is_core(r->role) &&
			    !r->relayed && r->id != d->node->self.id && r->id != d->order.id &&
			    membership_is_up(d->node->membership, r->id))
				d->relays[d->n_relays++] = r->id;
		}
}

static void begin_inner(struct dial *d)
{
	struct err e;

	d->stage = DIAL_INNER;
	if (conn_secure(d->conn, d->node->creds, true, check_peer, d, &e) < 0)
		fail(d, 1, &e);
}

/* the node called back: its stream is ours */
static void on_called(void *owner, struct conn *c, const struct err *why)
{
	struct dial *d = owner;

	d->wait = NULL;
	if (!c) {
		fail(d, 6, why);
		return;
	}
	d->conn = c;
	conn_own(c, &dial_conn_ops, d);
	begin_inner(d);
}

static void say_hello(struct dial *d)
{
	bool relay = d->stage == DIAL_RELAY;
	struct err e;
	int r = greeting_send(d->node, d->conn, relay ? CMX__WANT__WANT_RELAY : d->order.want,
			      relay ? d->order.id : 0, d->order.call);

	d->stage = relay ? DIAL_ASKING : DIAL_GREETING;
	conn_deadline(d->conn, loop_now(d->node->loop) + (relay ? RELAY_MS : HELLO_MS));
	if (r < 0) {
		(void)err_set(&e, r, "%s", strerror(-r));
		fail(d, 1, &e);
	}
}

static void on_opened(void *owner)
{
	say_hello(owner);
}

/*
 * What the relay says: HELLO, then OPEN_OK when the node has called it back.
 * Return: whether HELLO was taken and OPEN_OK is waited for; else d may be gone
 */
static bool asking(struct dial *d, const struct frame *f)
{
	AUTO_MESSAGE Cmx__Hello *h = NULL;
	struct err e;
	int status = 1, r = 0;

	if (f->type == FRAME_OPEN_OK && d->relay_greeted) {
		buf_eat(conn_in(d->conn), FRAME_HEADER + f->len);
		conn_deadline(d->conn, 0);
		begin_inner(d);
		return false;
	}
	r = greeting_read(f, &h, &status, &e);
	if (!r && !d->relay_greeted) {
		d->relay_greeted = true;
		buf_eat(conn_in(d->conn), FRAME_HEADER + f->len);
		return true;
	}
	if (try_relay(d, &e) < 0)
		fail(d, status, &e);
	return false;
}

static void greeted(struct dial *d, const struct frame *f)
{
	const struct dial_ops *ops = d->ops;
	void *owner = d->owner;
	AUTO_MESSAGE Cmx__Hello *h = NULL;
	struct conn *c = d->conn;
	struct err e;
	int status = 1;

	if (greeting_read(f, &h, &status, &e) < 0) {
		fail(d, status, &e);
		return;
	}
	buf_eat(conn_in(c), FRAME_HEADER + f->len);
	conn_deadline(c, 0);
	greeting_learn(d->node, conn_peer(c), h, d->addr.len ? &d->addr : NULL);
	d->conn = NULL;
	dial_free(d);
	ops->ready(owner, c, h);
}

static void on_received(void *owner)
{
	struct dial *d = owner;
	struct conn *c = d->conn;
	struct frame f;
	struct err e;
	int r = frame_take(conn_in(c), &f, &e);

	if (r == 1 && d->stage == DIAL_ASKING) {
		/* OPEN_OK may have come with HELLO */
		if (asking(d, &f) && frame_take(conn_in(c), &f, &e) == 1)
			(void)asking(d, &f); /* the last to use d */
		return;
	}
	if (r == 1 && d->stage == DIAL_GREETING) {
		greeted(d, &f);
		return;
	}
	if (r == 0 && conn_ended(c))
		r = err_set(&e, -EPIPE, "it closed the connection");
	if (r == 1)
		r = err_set(&e, -EPROTO, "it spoke out of turn");
	if (r < 0)
		fail(d, 1, &e);
}

static void on_closed(void *owner, const struct err *why)
{
	struct dial *d = owner;
	struct err e = *why;

	if ((d->stage == DIAL_RELAY || d->stage == DIAL_ASKING) && try_relay(d, &e) == 0)
		return;
	fail(d, why->code == -ETIMEDOUT ? 6 : 1, &e);
}

static const struct conn_ops dial_conn_ops = {
	.opened = on_opened,
	.received = on_received,
	.closed = on_closed,
};

int dial_new(struct node *n, const struct dial_order *o, const struct dial_ops *ops, void *owner,
	     struct dial **ret, struct err *e)
{
	const struct dir_entry *target = directory_get(n->directory, o->id);
	struct dial *d = calloc(1, sizeof(*d));
	int r;

	if (!d)
		return err_set(e, -ENOMEM, "out of memory");
	*d = (struct dial){ .node = n, .order = *o, .ops = ops, .owner = owner };
	if (!target || (!target->relayed && !target->known_address)) {
		r = err_set(e, -ENOENT, "its address is not known yet");
	} else if (!target->relayed) {
		d->stage = DIAL_DIRECT;
		d->addr = target->addr;
		r = connect_to(d, &d->addr, e);
	} else if (relay_holds(n->relay, o->id)) {
		d->stage = DIAL_CALLING;
		r = relay_call(n->relay, o->id, n->self.id, on_called, d, &d->wait, e);
	} else {
		list_relays(d);
		r = try_relay(d, e);
	}
	if (r < 0) {
		dial_free(d);
		return r;
	}
	*ret = d;
	return 0;
}
