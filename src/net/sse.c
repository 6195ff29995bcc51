/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sse.c - cut a text/event-stream into events */
#include "net/sse.h"

#include <errno.h>

#include "base/parse.h"

void sse_init(struct sse *s)
{
	*s = (struct sse){ .id = -1 };
	buf_init(&s->line, SSE_LINE_MAX);
	buf_init(&s->data, SSE_LINE_MAX);
}

void sse_done(struct sse *s)
{
	buf_done(&s->line);
	buf_done(&s->data);
}

/* the value of a field, or NULL when the line is another field */
static const char *value_of(const char *line, const char *field)
{
	size_t n = strlen(field);

	if (strncmp(line, field, n) != 0 || line[n] != ':')
		return NULL;
	line += n + 1;
	return *line == ' ' ? line + 1 : line;
}

static int take_line(struct sse *s, sse_fn *fn, void *owner)
{
	const char *line = buf_text(&s->line), *v;
	uint64_t id;
	int r = 1;

	if (!line)
		return -ENOMEM;
	if (!*line) {
		if (s->data.len)
			r = fn(owner, s->type[0] ? s->type : "message", buf_text(&s->data), s->id);
		s->type[0] = '\0';
		buf_reset(&s->data);
	} else if ((v = value_of(line, "event"))) {
		(void)snprintf(s->type, sizeof(s->type), "%s", v); /* a cut type matches nothing */
	} else if ((v = value_of(line, "data"))) {
		r = buf_printf(&s->data, "%s%s", s->data.len ? "\n" : "", v) < 0 ? -EMSGSIZE : 1;
	} else if ((v = value_of(line, "id"))) {
		if (!parse_u64(v, &id) && id <= INT64_MAX)
			s->id = (int64_t)id;
	}
	buf_reset(&s->line);
	return r;
}

int sse_feed(struct sse *s, const char *p, size_t len, sse_fn *fn, void *owner)
{
	int r = 1;

	while (r > 0 && len) {
		const char *end = memchr(p, '\n', len);
		size_t n = end ? (size_t)(end - p) : len;

		if (buf_put(&s->line, p, n) < 0)
			return -EMSGSIZE;
		len -= n + (end != NULL);
		p += n + (end != NULL);
		if (!end)
			break;
		if (s->line.len && buf_bytes(&s->line)[s->line.len - 1] == '\r')
			s->line.len--;
		r = take_line(s, fn, owner);
	}
	return r;
}
