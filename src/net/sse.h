/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sse.h - cut a text/event-stream into events. Pure
 *
 * The part of the HTML standard's format that the head sends: lines ended by LF or CRLF, fields
 * event, data and id, comments, an empty line ends an event. Bytes come in pieces of any size.
 */
#ifndef NET_SSE_H
#define NET_SSE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

#define SSE_LINE_MAX 65536
#define SSE_TYPE_MAX 64

struct sse {
	struct buf line, data;
	char type[SSE_TYPE_MAX];
	int64_t id; /* of the last event that had one; -1 */
};

/* false: stop */
typedef bool sse_fn(void *owner, const char *type, const char *data, int64_t id);

void sse_init(struct sse *s);
void sse_done(struct sse *s);

/**
 * sse_feed() - Take bytes, call fn for each event that is complete
 *
 * Return: 1 go on, 0 fn said stop, -EMSGSIZE a line or an event is too long, -ENOMEM
 */
int sse_feed(struct sse *s, const char *p, size_t len, sse_fn *fn, void *owner) MUST_CHECK;

#endif
