/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pages_frame.h - the fixed part of a PAGES frame. Private to pages*.c and deputy_checkpoint.c */
#ifndef MIGRATE_PAGES_FRAME_H
#define MIGRATE_PAGES_FRAME_H

#include <stdint.h>

#include "migrate/pages.h"

struct pages_header {
	uint64_t at;
	uint32_t n;
	uint32_t kind;
};

/**
 * pages_check() - Take the fixed part of a frame, if the frame is one
 * @hide_start, @hide_end: Where nothing may be written
 *
 * Return: 0 or -EPROTO
 */
int pages_check(const struct move_frame *f, uint64_t hide_start, uint64_t hide_end,
		struct pages_header *ret, struct err *e) MUST_CHECK;

#endif
