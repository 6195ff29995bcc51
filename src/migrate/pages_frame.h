/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pages_frame.h - the fixed part of a PAGES frame. Private to pages*.c */
#ifndef MIGRATE_PAGES_FRAME_H
#define MIGRATE_PAGES_FRAME_H

#include <stdint.h>

struct pages_header {
	uint64_t at;
	uint32_t n;
	uint32_t kind;
};

#endif
