/* SPDX-License-Identifier: GPL-2.0-or-later */
/* census.c - at the head: which processes of all nodes are away */
#include "node/census.h"

#include <errno.h>

#include "base/list.h"
#include "log/log.h"
#include "loop/loop.h"
#include "net/conn.h"
#include "net/half_link.h"
#include "node/dial.h"
#include "node/directory.h"
#include "node/membership.h"
#include "node/node.h"
#include "wire/half.pb-c.h"
#include "wire/message.h"

#define LOOK_MS	 1000 /* for servers that are new, or back */
#define RETRY_MS 5000 /* after a stream that failed */

struct row {
	struct list link;
	Cmx__MoveInfo *m; /* owned */
};

struct source {
	struct list link;
	struct census *census;
	uint32_t id;
	struct dial *dial;
	struct conn *conn;
	uint64_t retry_ms; /* not before; while there is neither dial nor conn */
	struct list rows;
	unsigned int n;
};

struct census {
	struct node *node;
	struct list sources;
	struct ev_ref look;
	void (*told)(void *owner, const Cmx__MoveInfo *m);
	void *owner;
};

/* ---- rows ---- */

static void row_free(struct source *s, struct row *row)
{
	list_del(&row->link);
	s->n--;
	protobuf_c_message_free_unpacked(&row->m->base, NULL);
	free(row);
}

static struct row *row_of(struct source *s, const Cmx__MoveInfo *m)
{
	list_for_each (l, &s->rows) {
		struct row *row = list_entry(l, struct row, link);

		if (!memcmp(row->m->move_id.data, m->move_id.data, HALF_ID_LEN))
			return row;
	}
	return NULL;
}

/* takes m over */
static void keep(struct source *s, Cmx__MoveInfo *m)
{
	struct row *row = row_of(s, m);

	if (!row) {
		row = s->n < CENSUS_ROWS_MAX ? calloc(1, sizeof(*row)) : NULL;
		if (!row) {
			protobuf_c_message_free_unpacked(&m->base, NULL);
			return;
		}
		list_add(&s->rows, &row->link);
		s->n++;
	} else {
		protobuf_c_message_free_unpacked(&row->m->base, NULL);
	}
	row->m = m;
}

/* takes m over; a server speaks of what is at home with itself, and of nothing else */
static void hear(struct source *s, Cmx__MoveInfo *m)
{
	const struct dir_entry *d = directory_get(s->census->node->directory, s->id);
	struct row *row;

	if (m->guest || m->end_of_snapshot || m->move_id.len != HALF_ID_LEN || !d ||
	    strcmp(m->home, d->name) != 0) {
		protobuf_c_message_free_unpacked(&m->base, NULL);
		return;
	}
	s->census->told(s->census->owner, m);
	if (m->stage != (uint32_t)CMX__HALF_STAGE__STAGE_ENDED) {
		keep(s, m);
		return;
	}
	row = row_of(s, m);
	if (row)
		row_free(s, row);
	protobuf_c_message_free_unpacked(&m->base, NULL);
}

int census_each(const struct census *c, int (*fn)(void *owner, const Cmx__MoveInfo *m), void *owner)
{
	int r = 0;

	list_for_each (l, &c->sources) {
		struct source *s = list_entry(l, struct source, link);

		list_for_each (k, &s->rows)
			if (!r)
				r = fn(owner, list_entry(k, struct row, link)->m);
	}
	return r;
}

/* ---- streams ---- */

static void broken(struct source *s)
{
	dial_free(s->dial);
	s->dial = NULL;
	conn_free(s->conn);
	s->conn = NULL;
	list_for_each_safe (l, &s->rows)
		row_free(s, list_entry(l, struct row, link));
	s->retry_ms = loop_now(s->census->node->loop) + RETRY_MS;
}

static void on_received(void *owner)
{
	struct source *s = owner;
	struct buf *in = conn_in(s->conn);
	struct frame f;
	struct err e;
	int r;

	while ((r = frame_take(in, &f, &e)) == 1) {
		Cmx__MoveInfo *m = NULL;

		if (f.type == FRAME_MOVE)
			m = message_get(&cmx__move_info__descriptor, f.payload, f.len, &e);
		if (!m && f.type != FRAME_OPEN_OK) {
			r = -EPROTO;
			break;
		}
		buf_eat(in, FRAME_HEADER + f.len);
		if (m)
			hear(s, m);
	}
	conn_ate(s->conn);
	if (r < 0 || conn_ended(s->conn))
		broken(s);
}

static void on_opened(void *owner)
{
}

static void on_closed(void *owner, const struct err *why)
{
	broken(owner);
}

static const struct conn_ops conn_ops = {
	.opened = on_opened,
	.received = on_received,
	.closed = on_closed,
};

static int ask(struct source *s)
{
	Cmx__MovesRequest rq = CMX__MOVES_REQUEST__INIT;
	Cmx__Open open = CMX__OPEN__INIT;
	struct buf body;
	int r;

	rq.follow = true;
	buf_init(&body, 64);
	r = message_pack(&body, &rq);
	if (!r) {
		open.kind = CMX__OPEN_KIND__OPEN_MOVES;
		open.body.data = (uint8_t *)buf_bytes(&body);
		open.body.len = body.len;
		r = conn_send_message(s->conn, FRAME_OPEN, &open);
	}
	buf_done(&body);
	return r;
}

static void on_ready(void *owner, struct conn *c, const Cmx__Hello *hello)
{
	struct source *s = owner;

	s->dial = NULL;
	s->conn = c;
	conn_own(c, &conn_ops, s);
	if (ask(s) < 0)
		broken(s);
}

static void on_failed(void *owner, int status, const struct err *why)
{
	struct source *s = owner;

	s->dial = NULL;
	broken(s);
}

static const struct dial_ops dial_ops = { .ready = on_ready, .failed = on_failed };

/* ---- which servers ---- */

static void source_free(struct source *s)
{
	broken(s);
	list_del(&s->link);
	free(s);
}

static struct source *source_of(struct census *c, uint32_t id)
{
	struct source *s;

	list_for_each (l, &c->sources) {
		s = list_entry(l, struct source, link);
		if (s->id == id)
			return s;
	}
	s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->census = c;
	s->id = id;
	list_init(&s->rows);
	list_add(&c->sources, &s->link);
	return s;
}

static void reach(struct census *c, uint32_t id)
{
	struct source *s = source_of(c, id);
	struct err e;

	if (!s || s->dial || s->conn || loop_now(c->node->loop) < s->retry_ms)
		return;
	if (dial_new(c->node, &(struct dial_order){ .id = id, .want = CMX__WANT__WANT_OPEN },
		     &dial_ops, s, &s->dial, &e) < 0)
		broken(s);
}

static void on_look(void *owner)
{
	struct census *c = owner;
	const struct directory *d = c->node->directory;

	c->look = (struct ev_ref){ 0 };
	for (uint32_t i = 0; i < directory_count(d); i++) {
		const struct dir_entry *entry = directory_at(d, i);

		if (role_is_core(entry->role) && entry->id != c->node->self.id &&
		    membership_is_up(c->node->membership, entry->id))
			reach(c, entry->id);
	}
	list_for_each_safe (l, &c->sources) {
		struct source *s = list_entry(l, struct source, link);

		if (!directory_get(d, s->id) || !membership_is_up(c->node->membership, s->id))
			source_free(s);
	}
	(void)!loop_add_timer(c->node->loop, loop_now(c->node->loop) + LOOK_MS, on_look, c,
			      &c->look);
}

int census_new(struct node *n, void (*told)(void *owner, const Cmx__MoveInfo *m), void *owner,
	       struct census **ret)
{
	struct census *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	*c = (struct census){ .node = n, .told = told, .owner = owner };
	list_init(&c->sources);
	if (n->self.role == ROLE_HEAD)
		on_look(c);
	*ret = c;
	return 0;
}

void census_free(struct census *c)
{
	if (!c)
		return;
	loop_remove(c->node->loop, &c->look);
	list_for_each_safe (l, &c->sources)
		source_free(list_entry(l, struct source, link));
	free(c);
}
