/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mem_mlock.c - locked memory keeps its bytes and is resident, and can be unlocked and locked again
 */
#include "victim.h"

#include <string.h>
#include <sys/mman.h>

#define PAGE 4096
#define N    4

int main(void)
{
	unsigned char *at = mmap(NULL, N * PAGE, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned char in[N];
	uint64_t seed = 22;

	NEED(at != MAP_FAILED && mlock(at, N * PAGE) == 0);
	victim_fill(at, N * PAGE, seed);
	victim_ready();
	while (victim_round()) {
		CHECK(victim_is(at, N * PAGE, seed));
		victim_fill(at, N * PAGE, ++seed);
		CHECK_EQ(mincore(at, N * PAGE, in), 0);
		CHECK_EQ(in[0] & in[1] & in[2] & in[3] & 1, 1);
		CHECK_EQ(munlock(at, N * PAGE), 0);
		CHECK_EQ(mlock(at, N * PAGE), 0);
	}
	return victim_end();
}
