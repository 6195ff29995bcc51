/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * buf.h - a bounded byte buffer that grows
 *
 * Bytes are put in at the end and taken from the front. A buffer has a limit from birth; what
 * would pass it fails with -ENOBUFS and changes nothing. Text put by buf_printf() is followed by a
 * NUL that is not counted in len.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct buf {
	uint8_t *data; /* owned; NULL until the first put */
	size_t off;    /* first unread byte */
	size_t len;    /* unread bytes from off on */
	size_t cap;
	size_t max; /* largest len allowed */
};

void buf_init(struct buf *b, size_t max);
void buf_done(struct buf *b);

/** buf_reset() - Forget the content, keep the memory */
void buf_reset(struct buf *b);

static inline const uint8_t *buf_bytes(const struct buf *b)
{
	return b->off ? b->data + b->off : b->data; /* NULL + 0 is undefined in C */
}

/**
 * buf_room() - Make room for n more bytes behind the content
 * @b:		The buffer
 * @n:		Bytes wanted
 * @ret:	Where they may be written; follow with buf_grow()
 *
 * Return: 0, -ENOBUFS (limit), -ENOMEM
 */
int buf_room(struct buf *b, size_t n, uint8_t **ret) MUST_CHECK;

/** buf_grow() - Count n bytes written after buf_room() as content */
void buf_grow(struct buf *b, size_t n);

int buf_put(struct buf *b, const void *p, size_t n) MUST_CHECK;
int buf_put_u8(struct buf *b, uint8_t v) MUST_CHECK;
int buf_put_u16be(struct buf *b, uint16_t v) MUST_CHECK;
int buf_put_u32be(struct buf *b, uint32_t v) MUST_CHECK;
int buf_put_u64be(struct buf *b, uint64_t v) MUST_CHECK;
int buf_printf(struct buf *b, const char *fmt, ...) PRINTF(2, 3) MUST_CHECK;

/** buf_eat() - Drop n bytes from the front; n <= len (asserted) */
void buf_eat(struct buf *b, size_t n);

/** buf_text() - The content as a C string; "" when empty, NULL when memory is out */
const char *buf_text(struct buf *b);

#endif
