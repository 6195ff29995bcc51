/* SPDX-License-Identifier: GPL-2.0-or-later */
/* store_events.c - what happened in the cluster: append-only, the oldest forgotten */
#include "head/store_query.h"

#include <errno.h>

#define COLUMNS "id, time, type, subject, by, text"

static void take_event(sqlite3_stmt *st, void *to)
{
	struct store_event *ev = to;

	ev->id = sqlite3_column_int64(st, 0);
	ev->time = sqlite3_column_int64(st, 1);
	query_text(st, 2, ev->type, sizeof(ev->type));
	query_text(st, 3, ev->subject, sizeof(ev->subject));
	query_text(st, 4, ev->by, sizeof(ev->by));
	query_text(st, 5, ev->text, sizeof(ev->text));
}

int store_event_add(struct store *s, struct store_event *ev, struct err *e)
{
	int r = query_run(s, NULL, e,
			  "INSERT INTO events (time, type, subject, by, text) "
			  "VALUES (?, ?, ?, ?, ?)",
			  "itttt", ev->time, ev->type, ev->subject, ev->by, ev->text);

	if (r < 0)
		return r;
	ev->id = sqlite3_last_insert_rowid(s->db);
	return query_run(s, NULL, e, "DELETE FROM events WHERE id <= ?", "i",
			 ev->id - STORE_EVENTS_MAX);
}

int store_events(struct store *s, int64_t after, size_t max, struct store_event **ret,
		 size_t *ret_n, struct err *e)
{
	sqlite3_stmt *st;
	int r = query_open(s, &st, e,
			   "SELECT " COLUMNS " FROM events WHERE id > ? ORDER BY id LIMIT ?", "ii",
			   after, (int64_t)max);

	return r < 0 ? r
		     : query_list(s, st, sizeof(**ret), max, take_event, (void **)ret, ret_n, e);
}

int store_event_of_node(struct store *s, const char *name, char ret_type[32], struct err *e)
{
	sqlite3_stmt *st;
	int r = query_open(s, &st, e,
			   "SELECT type FROM events WHERE subject = ? AND type IN "
			   "('node.joined', 'node.up', 'node.suspect', 'node.down', 'node.left', "
			   "'node.removed') ORDER BY id DESC LIMIT 1",
			   "t", name);

	if (r < 0)
		return r;
	r = query_row(s, st, e);
	if (r > 0)
		query_text(st, 0, ret_type, 32);
	query_close(st);
	return r > 0 ? 0 : r < 0 ? r : err_set(e, -ENOENT, "no such event");
}

int store_event_last(struct store *s, int64_t *ret, struct err *e)
{
	return query_number(s, ret, e, "SELECT coalesce(max(id), 0) FROM events", "");
}
