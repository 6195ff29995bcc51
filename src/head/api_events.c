/* SPDX-License-Identifier: GPL-2.0-or-later */
/* api_events.c - /events: what happened, as a list or as a stream */
#include "head/api_events.h"

#include <errno.h>
#include <inttypes.h>

#include "base/parse.h"
#include "os/clock.h"

json_t *api_event_json(const struct store_event *ev)
{
	return json_pack("{s:I, s:o, s:s, s:s, s:s, s:s}", "id", (json_int_t)ev->id, "time",
			 reply_time(ev->time), "type", ev->type, "subject", ev->subject, "by",
			 ev->by, "text", ev->text);
}

static void list_events(struct api *a, int64_t after, size_t max, struct http_reply *to)
{
	AUTO_FREE struct store_event *list = NULL;
	int64_t last = 0;
	json_t *rows;
	struct err e = { 0 };
	size_t n;
	int r;

	if (!api_begin(a, to))
		return;
	r = store_events(a->store, after, max, &list, &n, &e);
	if (!r)
		r = store_event_last(a->store, &last, &e);
	store_rollback(a->store); /* nothing was written */
	if (r < 0) {
		reply_err(to, r, &e);
		return;
	}
	rows = json_array();
	for (size_t i = 0; i < n; i++)
		(void)json_array_append_new(rows, api_event_json(&list[i])); /* NULL: a row less */
	reply_json(to, 200, json_pack("{s:o, s:I}", "events", rows, "last", (json_int_t)last));
}

/* a stream begins after what the client saw last, or now */
static void begin_stream(struct api *a, const struct http_request *q, bool given, int64_t after,
			 struct http_reply *to)
{
	struct err e = { 0 };
	int r = 0;

	if (!given) {
		if (!api_begin(a, to))
			return;
		r = store_event_last(a->store, &after, &e);
		store_rollback(a->store); /* nothing was written */
	}
	if (r < 0) {
		reply_err(to, r, &e);
		return;
	}
	to->status = 200;
	to->type = "text/event-stream";
	to->stream = true;
	to->stream_after = after;
	to->stream_live = q->live != NULL;
}

void api_events(struct api *a, const struct http_request *q, struct http_reply *to)
{
	const char *from = q->last_event_id ? q->last_event_id : q->after;
	bool stream = q->accept && strstr(q->accept, "text/event-stream");
	uint64_t after = 0;
	uint32_t max = API_EVENTS_PER_PAGE;

	if (from && (parse_u64(from, &after) < 0 || after > INT64_MAX))
		reply_problem(to, PROBLEM_BAD_VALUE, "after must be the number of an event");
	else if (q->limit && (parse_u32(q->limit, &max) < 0 || !max || max > API_EVENTS_PER_PAGE))
		reply_problem(to, PROBLEM_BAD_VALUE, "limit must be 1 to %d", API_EVENTS_PER_PAGE);
	else if (stream)
		begin_stream(a, q, from != NULL, (int64_t)after, to);
	else
		list_events(a, (int64_t)after, max, to);
}

/* events into the stream's form */
static int put_events(struct api *a, struct api_stream *s, struct buf *to)
{
	AUTO_FREE struct store_event *list = NULL;
	size_t n = 0;
	int r = store_begin(a->store, NULL);

	if (r < 0)
		return r;
	r = store_events(a->store, s->after, API_STREAM_BATCH, &list, &n, NULL);
	store_rollback(a->store); /* nothing was written */
	if (n == API_STREAM_BATCH)
		s->events_seen = 0; /* there may be more: do not wait */
	for (size_t i = 0; !r && i < n; i++) {
		json_t *j = api_event_json(&list[i]);
		char *text = j ? json_dumps(j, JSON_COMPACT) : NULL;

		json_decref(j);
		r = text ? buf_printf(to, "id: %" PRId64 "\nevent: %s\ndata: %s\n\n", list[i].id,
				      list[i].type, text)
			 : -ENOMEM;
		free(text);
		s->after = list[i].id;
	}
	return r;
}

int api_stream_next(struct api *a, struct api_stream *s, struct buf *to)
{
	uint64_t end_ms = clock_boot_ms() + API_STREAM_BEAT_MS;

	while (!to->len) {
		uint64_t now_ms = clock_boot_ms(), live = s->live_seen;
		/* loads change all the time: after one `live` the next has to wait a little */
		bool hold = s->live && now_ms < s->live_next_ms;
		uint64_t until_ms = hold && s->live_next_ms < end_ms ? s->live_next_ms : end_ms;
		int r;

		if (now_ms >= end_ms)
			return buf_printf(to, ": still here\n\n") < 0 ? -ENOMEM : 1;
		if (!bus_wait(&a->bus, &s->events_seen, s->live && !hold ? &s->live_seen : NULL,
			      until_ms - now_ms))
			return 0;
		r = put_events(a, s, to);
		if (!r && s->live_seen != live) {
			s->live_next_ms = clock_boot_ms() + API_STREAM_LIVE_MS;
			r = buf_printf(to, "event: live\ndata: {}\n\n");
		}
		if (r < 0)
			return r;
	}
	return 1;
}
