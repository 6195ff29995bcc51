/* SPDX-License-Identifier: GPL-2.0-or-later */
/* reg_x87.c - the eight values on the stack of the x87 unit and its control word stay */
#include "victim.h"

#define SPINS 20000
#define CW    0x0f7f /* round to zero, 64-bit precision, all exceptions masked */

/* 0.5 to 7.5, in the order of the stack from its top */
static void hold(long spins, double got[8], uint16_t *ret_cw)
{
	static const double first = 7.5, one = 1.0;
	const uint16_t cw = CW;
	uint16_t before;

	__asm__ volatile("fnstcw %[before]\n\t"
			 "fninit\n\t"
			 "fldcw %[cw]\n\t"
			 "fldl %[first]\n\t"
			 ".rept 7\n\t"
			 "fld %%st(0)\n\t"
			 "fsubl %[one]\n\t"
			 ".endr\n"
			 "1: pause\n\t"
			 "dec %[spins]\n\t"
			 "jnz 1b\n\t"
			 "fnstcw %[found]\n\t"
			 "fstpl 0(%[got])\n\t"
			 "fstpl 8(%[got])\n\t"
			 "fstpl 16(%[got])\n\t"
			 "fstpl 24(%[got])\n\t"
			 "fstpl 32(%[got])\n\t"
			 "fstpl 40(%[got])\n\t"
			 "fstpl 48(%[got])\n\t"
			 "fstpl 56(%[got])\n\t"
			 "fldcw %[before]"
			 : [spins] "+r"(spins), [found] "=m"(*ret_cw), [before] "=m"(before)
			 : [got] "r"(got), [first] "m"(first), [one] "m"(one), [cw] "m"(cw)
			 : "cc", "memory", "st", "st(1)", "st(2)", "st(3)", "st(4)", "st(5)",
			   "st(6)", "st(7)");
}

int main(void)
{
	double got[8];
	uint16_t cw;

	victim_ready();
	while (victim_round()) {
		hold(SPINS, got, &cw);
		CHECK_EQ(cw, CW);
		for (int i = 0; i < 8; i++)
			CHECK_EQ(got[i] * 2, i * 2 + 1);
	}
	return victim_end();
}
