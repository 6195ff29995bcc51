/* SPDX-License-Identifier: GPL-2.0-or-later */
/* approach.c - at home: reach a node with OPEN MOVE and get a transport for a deputy */
#include "node/approach.h"

#include <errno.h>

#include "log/log.h"
#include "loop/loop.h"
#include "net/conn.h"
#include "node/dial.h"
#include "node/node.h"
#include "node/transport.h"
#include "wire/message.h"

#define ANSWER_MS 10000 /* for the host to start its half and say so */

struct approach {
	struct node *node;
	struct dial *dial; /* until it is reached ... */
	struct conn *conn; /* ... and then until it answers */
	struct buf request;
	const struct approach_ops *ops;
	void *owner;
};

void approach_free(struct approach *a)
{
	if (!a)
		return;
	dial_free(a->dial);
	conn_free(a->conn);
	buf_done(&a->request);
	free(a);
}

static void fail(struct approach *a, int status, const struct err *why)
{
	const struct approach_ops *ops = a->ops;
	void *owner = a->owner;
	struct err copy = *why;

	approach_free(a);
	ops->failed(owner, status, &copy);
}

static void answered_ok(struct approach *a)
{
	const struct approach_ops *ops = a->ops;
	void *owner = a->owner;
	struct transport t;
	struct err e;

	conn_deadline(a->conn, 0);
	if (transport_prepare(a->conn, &t, &e) < 0) {
		fail(a, 1, &e);
		return;
	}
	a->conn = NULL; /* the transport's */
	approach_free(a);
	ops->ready(owner, &t);
}

static void on_received(void *owner)
{
	struct approach *a = owner;
	struct buf *in = conn_in(a->conn);
	struct frame f;
	struct err e;
	int status = 1, r = frame_take(in, &f, &e);

	if (r == 0 && !conn_ended(a->conn))
		return;
	if (r == 0)
		r = err_set(&e, -EPIPE, "it closed the connection without an answer");
	if (r == 1 && f.type == FRAME_OPEN_OK) {
		buf_eat(in, FRAME_HEADER + f.len);
		answered_ok(a);
		return;
	}
	if (r == 1 && f.type == FRAME_ERROR) {
		AUTO_MESSAGE Cmx__Error *m = message_get(&cmx__error__descriptor, f.payload, f.len,
							 &e);
		char text[320];

		if (m) {
			status = m->status && m->status < 126 ? (int)m->status : 1;
			(void)err_set(&e, -EREMOTE, "%s", log_quote(m->text, text, sizeof(text)));
		}
	} else if (r == 1) {
		(void)err_set(&e, -EPROTO, "it answered with %s", frame_name(f.type));
	}
	fail(a, status, &e);
}

static void on_opened(void *owner)
{
}

static void on_closed(void *owner, const struct err *why)
{
	fail(owner, why->code == -ETIMEDOUT ? 6 : 1, why);
}

static const struct conn_ops conn_ops = {
	.opened = on_opened,
	.received = on_received,
	.closed = on_closed,
};

static void on_ready(void *owner, struct conn *c, const Cmx__Hello *hello)
{
	struct approach *a = owner;
	struct err e;
	int r;

	a->dial = NULL;
	a->conn = c;
	conn_own(c, &conn_ops, a);
	conn_deadline(c, loop_now(a->node->loop) + ANSWER_MS);
	r = conn_send(c, buf_bytes(&a->request), a->request.len);
	if (r < 0) {
		(void)err_set(&e, r, "%s", strerror(-r));
		fail(a, 1, &e);
	}
}

static void on_failed(void *owner, int status, const struct err *why)
{
	struct approach *a = owner;

	a->dial = NULL;
	fail(a, status, why);
}

static const struct dial_ops dial_ops = { .ready = on_ready, .failed = on_failed };

int approach_new(struct node *n, uint32_t id, const Cmx__Open *m, const struct approach_ops *ops,
		 void *owner, struct approach **ret, struct err *e)
{
	struct approach *a = calloc(1, sizeof(*a));
	int r;

	if (!a)
		return err_set(e, -ENOMEM, "out of memory");
	*a = (struct approach){ .node = n, .ops = ops, .owner = owner };
	buf_init(&a->request, FRAME_HEADER + FRAME_PAYLOAD_MAX);
	r = message_put(&a->request, FRAME_OPEN, m);
	if (r < 0)
		(void)err_set(e, r, "the request is too long");
	else
		r = dial_new(n, &(struct dial_order){ .id = id, .want = CMX__WANT__WANT_OPEN },
			     &dial_ops, a, &a->dial, e);
	if (r < 0) {
		approach_free(a);
		return r;
	}
	*ret = a;
	return 0;
}
