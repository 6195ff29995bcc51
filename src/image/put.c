/* SPDX-License-Identifier: GPL-2.0-or-later */
/* put.c - write an image as records */
#include <errno.h>

#include "base/le.h"
#include "image/image.h"
#include "image/record.h"

static uint8_t *put_field(uint8_t *to, const struct record_field *f, const void *object)
{
	const uint8_t *from = (const uint8_t *)object + f->offset;

	for (unsigned int i = 0; i < f->n; i++, to += f->size, from += f->size) {
		uint32_t word;
		uint64_t wide;

		switch (f->size) {
		case 1:
			*to = *from;
			break;
		case 4:
			memcpy(&word, from, sizeof(word));
			le32_put(to, word);
			break;
		case 8:
			memcpy(&wide, from, sizeof(wide));
			le64_put(to, wide);
			break;
		}
	}
	return to;
}

/* the row's fields of an object, and bytes that follow them */
static int put_record(struct buf *b, enum record_kind kind, const void *object, const void *tail,
		      uint32_t n_tail)
{
	const struct record_row *row = record_row(kind);
	uint32_t len = record_bytes(row, row->n_fields) + n_tail;
	uint8_t *to;
	int r = buf_room(b, RECORD_HEADER + len, &to);

	if (r < 0)
		return r;
	le16_put(to, (uint16_t)kind);
	le16_put(to + 2, IMAGE_VERSION);
	le32_put(to + 4, len);
	to += RECORD_HEADER;
	for (unsigned int i = 0; i < row->n_fields; i++) {
		/* the extended state stands where version 1 ended */
		if (i == row->n_first && n_tail) {
			memcpy(to, tail, n_tail);
			to += n_tail;
		}
		to = put_field(to, &row->fields[i], object);
	}
	if (row->n_first == row->n_fields && n_tail)
		memcpy(to, tail, n_tail);
	buf_grow(b, RECORD_HEADER + len);
	return 0;
}

static int put_all(struct buf *b, const struct image *m)
{
	const struct record_end end = { (uint32_t)m->n_mappings, (uint32_t)m->n_threads,
					m->n_timers };
	int r = put_record(b, RECORD_PROCESS, m, NULL, 0);

	if (!r)
		r = put_record(b, RECORD_MM, m, NULL, 0);
	if (!r)
		r = put_record(b, RECORD_ACTIONS, m, NULL, 0);
	for (size_t i = 0; !r && i < m->n_mappings; i++)
		r = put_record(b, RECORD_MAPPING, &m->mappings[i], NULL, 0);
	for (size_t i = 0; !r && i < m->n_threads; i++)
		r = put_record(b, RECORD_THREAD, &m->threads[i], m->threads[i].xstate,
			       m->threads[i].xstate_len);
	for (size_t i = 0; !r && i < m->n_timers; i++)
		r = put_record(b, RECORD_TIMER, &m->timers[i], NULL, 0);
	return r ? r : put_record(b, RECORD_END, &end, NULL, 0);
}

int image_put(struct buf *b, const struct image *m)
{
	size_t before = b->len;
	int r = put_all(b, m);

	if (r < 0)
		b->len = before; /* a half of an image is of no use to anybody */
	return r;
}
