/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * record.h - what each record of an image holds: the tables that put.c and get.c walk
 *
 * A body is the fields of its row one after the other, little-endian and without gaps. A later
 * version adds fields at the end of a row, and n_first stays: a reader takes as many fields as the
 * record has, but never fewer than version 1 had; fields that are not there are zero. A THREAD's
 * extended state, of the length in xstate_len, follows its fields of version 1.
 */
#ifndef IMAGE_RECORD_H
#define IMAGE_RECORD_H

#include "image/image.h"

#define RECORD_HEADER 8 /* kind u16, version u16, length u32 */

enum record_kind {
	RECORD_PROCESS = IMAGE_MUST | 1, /* struct image */
	RECORD_MM = IMAGE_MUST | 2,	 /* struct image_mm */
	RECORD_ACTIONS = IMAGE_MUST | 3, /* the actions of struct image */
	RECORD_MAPPING = IMAGE_MUST | 4, /* struct image_mapping */
	RECORD_THREAD = IMAGE_MUST | 5,	 /* struct image_thread */
	RECORD_END = IMAGE_MUST | 6,	 /* struct record_end */
	RECORD_TIMER = IMAGE_MUST | 7,	 /* struct image_timer */
};

/* how many there were, so that an image that lost some is no image */
struct record_end {
	uint32_t n_mappings, n_threads;
	uint32_t n_timers; /* added since */
};

struct record_field {
	uint16_t offset; /* in the struct */
	uint16_t n;	 /* numbers in it */
	uint8_t size;	 /* of each number: 1, 4 or 8 */
};

struct record_row {
	enum record_kind kind;
	const char *name;
	const struct record_field *fields;
	uint16_t n_fields;
	uint16_t n_first; /* fields that version 1 had */
};

/** record_row() - The row of a kind; NULL: not known */
const struct record_row *record_row(unsigned int kind);

/** record_bytes() - Length of the first n fields of a row */
uint32_t record_bytes(const struct record_row *row, unsigned int n);

#endif
