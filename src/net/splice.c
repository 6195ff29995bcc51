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
	if (in->len)
		return;
	if (conn_ended(from->conn) && !from->passed_end) {
		from->passed_end = true;
		conn_end(to);
	}
	/* nobody will take what the other side has still to say */
	if (conn_gone(from->conn) || (from->passed_end && from->other->passed_end)) {
		conn_linger(from->conn);
		conn_linger(to);
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
