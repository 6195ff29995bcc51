/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * frames.h - an input as a list of frames that wire/move.h would have let through
 *
 * Each frame is a byte for its type, two for the length of its payload (little-endian), payload.
 */
#ifndef TESTS_FUZZ_FRAMES_H
#define TESTS_FUZZ_FRAMES_H

#include <stdbool.h>

#include "tests/fuzz/fuzz.h"
#include "wire/move.h"

/* longer than any pid: nobody has it, whatever a frame makes the code under test do to it */
#define NOBODY 4194304

struct frames {
	const uint8_t *p;
	size_t n;
};

/** frames_next() - The next one that is as long as its type may be; false: no more */
static inline bool frames_next(struct frames *in, struct move_frame *ret)
{
	static const struct {
		uint8_t type;
		uint32_t fixed, max;
	} types[] = {
#define FRAMES_ROW(name, number, fixed, max) { number, fixed, max },
		MOVE_TYPES(FRAMES_ROW)
#undef FRAMES_ROW
	};

	while (in->n >= 3) {
		uint8_t type = in->p[0];
		uint32_t len = (uint32_t)(in->p[1] | in->p[2] << 8);

		in->p += 3;
		in->n -= 3;
		len = len > in->n ? (uint32_t)in->n : len;
		*ret = (struct move_frame){ .type = type, .payload = in->p, .len = len };
		in->p += len;
		in->n -= len;
		for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
			if (types[i].type == type && len >= types[i].fixed && len <= types[i].max)
				return true;
	}
	return false;
}

#endif
