/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mem_guard.c - a PROT_NONE page between two buffers faults with its address, before and after it
 * was lifted
 */
#include "fault.h"
#include "victim.h"

#include <signal.h>
#include <sys/mman.h>

#define PAGE 4096

int main(void)
{
	unsigned char *at = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t seed = 12;

	NEED(at != MAP_FAILED);
	victim_fill(at, 3 * PAGE, seed);
	NEED(mprotect(at + PAGE, PAGE, PROT_NONE) == 0);
	victim_ready();
	while (victim_round()) {
		struct fault f = fault_of(at + 2 * PAGE - 1, TOUCH_READ);

		CHECK_EQ(f.signal, SIGSEGV);
		CHECK_EQ(f.code, SEGV_ACCERR);
		CHECK(f.at == at + 2 * PAGE - 1);
		CHECK_EQ(fault_of(at + PAGE, TOUCH_WRITE).signal, SIGSEGV);
		CHECK_EQ(fault_of(at + PAGE - 1, TOUCH_WRITE).signal, 0);
		CHECK_EQ(fault_of(at + 2 * PAGE, TOUCH_WRITE).signal, 0);
		/* what is in the guard is kept while nobody may see it */
		CHECK_EQ(mprotect(at + PAGE, PAGE, PROT_READ | PROT_WRITE), 0);
		CHECK(victim_is(at, 3 * PAGE, seed));
		victim_fill(at, 3 * PAGE, ++seed);
		CHECK_EQ(mprotect(at + PAGE, PAGE, PROT_NONE), 0);
	}
	return victim_end();
}
