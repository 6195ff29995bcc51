/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * reg_mxcsr.c - rounding, flush to zero and sticky exceptions of SSE arithmetic stay as they were
 * set
 */
#include "victim.h"

#include <xmmintrin.h>

#define N_MODES 4

int main(void)
{
	/* 1/3 in float, rounded to nearest, down, up, to zero */
	static const struct {
		unsigned int mode;
		float third, minus_third;
	} modes[N_MODES] = {
		{ _MM_ROUND_NEAREST, 0x1.555556p-2f, -0x1.555556p-2f },
		{ _MM_ROUND_DOWN, 0x1.555554p-2f, -0x1.555556p-2f },
		{ _MM_ROUND_UP, 0x1.555556p-2f, -0x1.555554p-2f },
		{ _MM_ROUND_TOWARD_ZERO, 0x1.555554p-2f, -0x1.555554p-2f },
	};
	volatile float one = 1, three = 3, tiny = 0x1p-126f, half = 0.5f;
	unsigned int set = 0, kind = 0;

	_mm_setcsr(0x1f80);
	victim_ready();
	while (victim_round()) {
		/* the mode that was set in the last round has been in force over the rest between
		 * them */
		if (set != 0) {
			CHECK_EQ(_mm_getcsr(), set);
			CHECK(one / three == modes[kind].third);
			CHECK(-one / three == modes[kind].minus_third);
			CHECK(tiny * half == (set & _MM_FLUSH_ZERO_ON ? 0 : 0x1p-127f));
		}
		kind = (kind + 1) % N_MODES;
		set = 0x1f80 | modes[kind].mode | (kind & 1 ? _MM_FLUSH_ZERO_ON : 0) |
		      _MM_EXCEPT_INEXACT | _MM_EXCEPT_DENORM | _MM_EXCEPT_UNDERFLOW;
		_mm_setcsr(set);
	}
	return victim_end();
}
