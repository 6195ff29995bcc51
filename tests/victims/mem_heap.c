/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mem_heap.c - blocks of malloc, calloc and realloc of all sizes keep what was written into them */
#include "victim.h"

#include <stdlib.h>

#define N_BLOCKS  300
#define SIZE_MAX_ 200000 /* some come from brk, some from mmap */

static struct block {
	unsigned char *at;
	size_t n;
	uint64_t seed;
} blocks[N_BLOCKS];

int main(void)
{
	uint64_t seed = 6;

	victim_ready();
	while (victim_round())
		for (int i = 0; i < N_BLOCKS; i++) {
			struct block *b = &blocks[victim_random(&seed) % N_BLOCKS];
			size_t n = 1 + victim_random(&seed) % (i % 30 ? 2000 : SIZE_MAX_);

			CHECK(victim_is(b->at, b->n, b->seed));
			if (i % 3 == 0) {
				b->at = realloc(b->at, n);
				NEED(b->at != NULL);
				CHECK(victim_is(b->at, n < b->n ? n : b->n, b->seed));
			} else {
				free(b->at);
				b->at = calloc(1, n);
				NEED(b->at != NULL);
				for (size_t at = 0; at < n; at += 64)
					CHECK_EQ(b->at[at], 0);
			}
			b->n = n;
			b->seed = victim_random(&seed);
			victim_fill(b->at, b->n, b->seed);
		}
	return victim_end();
}
