/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * api_events.h - the stream of events
 *
 * Each event is sent once, in order, with its number as the stream's id, so that a client that
 * comes back with Last-Event-ID misses nothing that is still kept. A comment is sent when nothing
 * happened for a while, so that both ends notice a dead line. Asked for (?live=1), an event `live`
 * without a number says that loads or states have changed, at most once per API_STREAM_LIVE_MS.
 */
#ifndef HEAD_API_EVENTS_H
#define HEAD_API_EVENTS_H

#include "head/api.h"

#define API_STREAM_BEAT_MS 3000 /* a client that is gone is noticed at the second write */
#define API_STREAM_LIVE_MS 500
#define API_STREAM_BATCH   64

/* one client's place in the stream */
struct api_stream {
	int64_t after;			 /* number of the last event sent */
	bool live;			 /* wants `live` events */
	uint64_t events_seen, live_seen; /* of the bus */
	uint64_t live_next_ms;		 /* no `live` before */
};

/** api_event_json() - An event as the API shows it; NULL without memory */
json_t *api_event_json(const struct store_event *ev);

/**
 * api_stream_next() - Wait for something to send
 * @a:		The API
 * @s:		The client's place; 0 for both counters at the beginning, moved on here
 * @to:		What to send is appended
 *
 * Return: 1 something is there, 0 the server stops, -errno end the stream
 */
int api_stream_next(struct api *a, struct api_stream *s, struct buf *to) MUST_CHECK;

#endif
