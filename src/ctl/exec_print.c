/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exec_print.c - what comes from the nodes, as the caller wants to see it */
#include "ctl/exec_print.h"

#include <assert.h>

#define RAW_STEP 65536

void exec_stream_init(struct exec_stream *s, const struct exec_printer *p, struct exec_sink *sink)
{
	*s = (struct exec_stream){ .sink = sink };
	buf_init(&s->text, p->mode == EXEC_PRINT_KEEP ? EXEC_KEEP_MAX : EXEC_LINE_MAX);
}

void exec_stream_done(struct exec_stream *s)
{
	buf_done(&s->text);
}

static size_t print_raw(struct exec_stream *s, const uint8_t *data, size_t len)
{
	size_t done = 0;

	while (done < len && !exec_sink_full(s->sink)) {
		size_t n = len - done < RAW_STEP ? len - done : RAW_STEP;

		exec_sink_put(s->sink, data + done, n);
		done += n;
	}
	return done;
}

static void put_line(struct exec_stream *s, const char *label, const uint8_t *rest, size_t n_rest)
{
	exec_sink_put(s->sink, label, strlen(label));
	exec_sink_put(s->sink, ": ", 2);
	exec_sink_put(s->sink, buf_bytes(&s->text), s->text.len);
	exec_sink_put(s->sink, rest, n_rest);
	exec_sink_put(s->sink, "\n", 1);
	buf_reset(&s->text);
}

static size_t print_lines(struct exec_stream *s, const char *label, const uint8_t *data, size_t len)
{
	size_t done = 0;

	while (done < len && !exec_sink_full(s->sink)) {
		const uint8_t *nl = memchr(data + done, '\n', len - done);
		size_t n = nl ? (size_t)(nl - data) - done : len - done;
		size_t room = EXEC_LINE_MAX - s->text.len;

		if (n > room) {
			put_line(s, label, data + done, room);
			done += room;
		} else if (nl) {
			put_line(s, label, data + done, n);
			done += n + 1;
		} else if (buf_put(&s->text, data + done, n) < 0) {
			put_line(s, label, data + done, n); /* out of memory: at least not lost */
			done += n;
		} else {
			done += n;
		}
	}
	return done;
}

static size_t keep(struct exec_stream *s, const uint8_t *data, size_t len)
{
	size_t room = EXEC_KEEP_MAX - s->text.len;
	size_t n = len < room ? len : room;

	if (buf_put(&s->text, data, n) < 0 || n < len)
		s->cut = true;
	return len;
}

size_t exec_print(struct exec_printer *p, struct exec_stream *s, const char *label,
		  const uint8_t *data, size_t len)
{
	switch (p->mode) {
	case EXEC_PRINT_RAW:
		return print_raw(s, data, len);
	case EXEC_PRINT_LABEL:
		return print_lines(s, label, data, len);
	case EXEC_PRINT_KEEP:
		return keep(s, data, len);
	}
	assert(0);
}

void exec_print_end(struct exec_printer *p, struct exec_stream *s, const char *label)
{
	if (p->mode == EXEC_PRINT_LABEL && s->text.len)
		put_line(s, label, NULL, 0);
}
