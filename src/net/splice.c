/* SPDX-License-Identifier: GPL-2.0-or-later */
/* splice.c - join two connections so that each gets what the other sends */
#include "net/splice.h"

#include <errno.h>

struct side {
	struct splice *splice;
	struct conn *conn;
	struct side *other;
	bool passed_end; /* its end was passed on */
};

struct splice {
	struct side a, b;
	void (*over)(void *owner);
	void *owner;
};

static void finish(struct splice *s)
{
	void (*over)(void *owner) = s->over;
	void *owner = s->owner;

	free(s);
	if (over)
		over(owner);
}

/* all that one side had to say is in the hands of the other's kernel */
static bool said_all(const struct side *from)
{
	return from->passed_end && conn_flushed(from->other->conn);
}

/*
 * A connection without an owner is dropped after CONN_LINGER_MS, so none is let go before its peer
 * has taken all and has ended, too: an asker may stand still for an hour and then read on. Only
 * when the asker is gone nobody waits for what the other side has still to say.
 */
static bool is_over(const struct splice *s)
{
	return (said_all(&s->a) && said_all(&s->b)) || (s->a.passed_end && conn_gone(s->a.conn));
}

/* what came from one side goes to the other, as far as there is room */
static void pass(struct side *from)
{
	struct splice *s = from->splice;
	struct buf *in = conn_in(from->conn);
	struct conn *to = from->other->conn;
	size_t n = conn_room(to);

	n = n < in->len ? n : in->len;
	if (n && !from->passed_end) {
		if (conn_send(to, buf_bytes(in), n) < 0)
			return; /* out of memory: tried again at the next event */
		buf_eat(in, n);
		conn_ate(from->conn);
	}
	if (!in->len && conn_ended(from->conn) && !from->passed_end) {
		from->passed_end = true;
		conn_end(to);
	}
	if (is_over(s)) {
		conn_linger(s->a.conn);
		conn_linger(s->b.conn);
		finish(s);
	}
}

static void on_received(void *owner)
{
	pass(owner);
}

static void on_drained(void *owner)
{
	struct side *to = owner;

	pass(to->other);
}

static void on_closed(void *owner, const struct err *why)
{
	struct splice *s = ((struct side *)owner)->splice;

	conn_free(s->a.conn);
	conn_free(s->b.conn);
	finish(s);
}

static void on_opened(void *owner)
{
}

static const struct conn_ops side_ops = {
	.opened = on_opened,
	.received = on_received,
	.drained = on_drained,
	.closed = on_closed,
};

int splice_new(struct conn *a, struct conn *b, void (*over)(void *owner), void *owner,
	       struct splice **ret)
{
	struct splice *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->a = (struct side){ .splice = s, .conn = a, .other = &s->b };
	s->b = (struct side){ .splice = s, .conn = b, .other = &s->a };
	s->over = over;
	s->owner = owner;
	conn_deadline(a, 0);
	conn_deadline(b, 0);
	conn_own(a, &side_ops, &s->a);
	conn_own(b, &side_ops, &s->b);
	if (ret)
		*ret = s;
	return 0;
}

void splice_abort(struct splice *s)
{
	if (!s)
		return;
	conn_free(s->a.conn);
	conn_free(s->b.conn);
	free(s);
}
