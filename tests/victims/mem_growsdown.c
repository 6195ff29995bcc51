/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mem_growsdown.c - a mapping that grows downwards grows where it is touched, and stops at what
 * lies below
 */
#include "fault.h"
#include "victim.h"

#include <signal.h>
#include <sys/mman.h>

#define PAGE 4096
#define ROOM (1024 * PAGE)

int main(void)
{
	uint64_t seed = 10;

	victim_ready();
	while (victim_round()) {
		unsigned char *low = mmap(NULL, 2 * ROOM, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
					  -1, 0);
		unsigned char *top = low + 2 * ROOM - PAGE, *at;
		int grown = 0;

		NEED(low != MAP_FAILED);
		/* a hole, and the last page of it is a stack */
		CHECK_EQ(munmap(low + ROOM, ROOM), 0);
		at = mmap(top, PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_FIXED_NOREPLACE, -1, 0);
		if (at != top) {
			/* another mapping was faster: no fault of anybody */
			CHECK_EQ(munmap(low, ROOM), 0);
			continue;
		}
		victim_fill(top, PAGE, seed);
		/* the gap that the kernel keeps is 256 pages at most of those 1024 */
		while (grown < 500 && fault_of(at - PAGE, TOUCH_WRITE).signal == 0) {
			at -= PAGE;
			at[0] = (unsigned char)++grown;
		}
		CHECK_EQ(grown, 500);
		for (int i = 1; i <= grown; i++)
			CHECK_EQ(*(top - i * PAGE), (unsigned char)i);
		CHECK(victim_is(top, PAGE, seed));
		CHECK_EQ(fault_of(low, TOUCH_READ).signal, SIGSEGV);
		CHECK_EQ(munmap(low, 2 * ROOM), 0);
		seed++;
	}
	return victim_end();
}
