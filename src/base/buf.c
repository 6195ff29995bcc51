/* SPDX-License-Identifier: GPL-2.0-or-later */
/* buf.c - a bounded byte buffer that grows */
#include "base/buf.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>

#define BUF_FIRST 256

void buf_init(struct buf *b, size_t max)
{
	*b = (struct buf){ .max = max };
}

void buf_done(struct buf *b)
{
	if (!b)
		return;
	free(b->data);
	*b = (struct buf){ .max = b->max };
}

void buf_reset(struct buf *b)
{
	b->off = 0;
	b->len = 0;
}

int buf_room(struct buf *b, size_t n, uint8_t **ret)
{
	size_t need, cap;
	uint8_t *p;

	if (n > b->max || b->len > b->max - n)
		return -ENOBUFS;
	need = b->len + n + 1; /* one for the NUL of text */
	if (b->off && b->off + need > b->cap) {
		memmove(b->data, b->data + b->off, b->len);
		b->off = 0;
	}
	if (need > b->cap) {
		cap = b->cap ? b->cap : BUF_FIRST;
		while (cap < need)
			cap *= 2;
		p = realloc(b->data, cap);
		if (!p)
			return -ENOMEM;
		b->data = p;
		b->cap = cap;
	}
	*ret = b->data + b->off + b->len;
	return 0;
}

void buf_grow(struct buf *b, size_t n)
{
	assert(b->off + b->len + n < b->cap);
	b->len += n;
}

int buf_put(struct buf *b, const void *p, size_t n)
{
	uint8_t *to;
	int r;

	r = buf_room(b, n, &to);
	if (r < 0)
		return r;
	if (n)
		memcpy(to, p, n);
	buf_grow(b, n);
	return 0;
}

int buf_put_u8(struct buf *b, uint8_t v)
{
	return buf_put(b, &v, 1);
}

int buf_put_u16be(struct buf *b, uint16_t v)
{
	uint8_t p[2] = { (uint8_t)(v >> 8), (uint8_t)v };

	return buf_put(b, p, sizeof(p));
}

int buf_put_u32be(struct buf *b, uint32_t v)
{
	uint8_t p[4] = { (uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v };

	return buf_put(b, p, sizeof(p));
}

int buf_put_u64be(struct buf *b, uint64_t v)
{
	uint8_t p[8];

	for (int i = 0; i < 8; i++)
		p[i] = (uint8_t)(v >> (56 - 8 * i));
	return buf_put(b, p, sizeof(p));
}

int buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	uint8_t *to;
	int n, r;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		return -EINVAL;
	r = buf_room(b, (size_t)n, &to);
	if (r < 0)
		return r;
	va_start(ap, fmt);
	(void)vsnprintf((char *)to, (size_t)n + 1, fmt, ap); /* measured just above */
	va_end(ap);
	buf_grow(b, (size_t)n);
	return 0;
}

void buf_eat(struct buf *b, size_t n)
{
	assert(n <= b->len);
	b->off += n;
	b->len -= n;
	if (!b->len)
		b->off = 0;
}

const char *buf_text(struct buf *b)
{
	uint8_t *end;

	if (!b->len)
		return "";
	if (buf_room(b, 0, &end) < 0)
		return NULL;
	*end = '\0';
	return (const char *)(b->data + b->off);
}
