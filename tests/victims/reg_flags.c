/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * reg_flags.c - the flags of the processor, direction among them, stay as they were set
 *
 * Not ID: it is no state of a program, and no call of the kernel can set it.
 */
#include "victim.h"

#define CF	  (1U << 0)
#define PF	  (1U << 2)
#define AF	  (1U << 4)
#define ZF	  (1U << 6)
#define SF	  (1U << 7)
#define DF	  (1U << 10)
#define OF	  (1U << 11)
#define ALL	  (CF | PF | AF | ZF | SF | DF | OF)
#define SPINS	  20000
#define N_PATTERN 8

static uint64_t hold(uint64_t flags)
{
	uint64_t spins = SPINS, found;

	/* the loop uses lea and jrcxz, which change no flag; it leaves the red zone alone */
	__asm__ volatile("sub $256, %%rsp\n\t"
			 "pushf\n\t"
			 "push %[flags]\n\t"
			 "popf\n\t"
			 "1: pause\n\t"
			 "lea -1(%%rcx), %%rcx\n\t"
			 "jrcxz 2f\n\t"
			 "jmp 1b\n\t"
			 "2: pushf\n\t"
			 "pop %[found]\n\t"
			 "popf\n\t"
			 "add $256, %%rsp"
			 : "+c"(spins), [found] "=&r"(found)
			 : [flags] "r"(flags)
			 : "cc", "memory");
	return found;
}

int main(void)
{
	static const unsigned int patterns[N_PATTERN] = {
		0, CF | ZF | OF, DF, SF | ZF, PF | AF | SF, ALL, CF | DF | SF, ZF | OF | AF
	};

	victim_ready();
	while (victim_round())
		for (int i = 0; i < N_PATTERN; i++)
			CHECK_EQ(hold(patterns[i] | 2 | 1U << 9) & ALL, patterns[i]);
	return victim_end();
}
