/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mem_shared_anon.c - a shared anonymous mapping that no other process has keeps its bytes */
#include "victim.h"

#include <sys/mman.h>

#define SIZE (256 << 10)

int main(void)
{
	unsigned char *at = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
				 0);
	uint64_t seed = 20;

	NEED(at != MAP_FAILED);
	victim_fill(at, SIZE, seed);
	victim_ready();
	while (victim_round()) {
		CHECK(victim_is(at, SIZE, seed));
		victim_fill(at, SIZE, ++seed);
		/* advice that throws away private memory leaves shared memory as it is */
		CHECK_EQ(madvise(at, SIZE, MADV_DONTNEED), 0);
		CHECK(victim_is(at, SIZE, seed));
	}
	return victim_end();
}
