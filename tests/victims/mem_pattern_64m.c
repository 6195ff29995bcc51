/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mem_pattern_64m.c - 64 MiB of memory that is seldom written hold each byte */
#include "victim.h"

#include <sys/mman.h>

#define SIZE  (64 << 20)
#define SLICE (4 << 20)
#define N     (SIZE / SLICE)

int main(void)
{
	unsigned char *at = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
				 -1, 0);
	uint64_t seeds[N];
	int turn = 0;

	NEED(at != MAP_FAILED);
	for (int i = 0; i < N; i++)
		victim_fill(at + i * SLICE, SLICE, seeds[i] = i);
	victim_ready();
	while (victim_round()) {
		for (int i = 0; i < N / 4; i++) {
			CHECK(victim_is(at + turn * SLICE, SLICE, seeds[turn]));
			turn = (turn + 1) % N;
		}
		victim_fill(at + turn * SLICE, SLICE, seeds[turn] += N);
	}
	for (int i = 0; i < N; i++)
		CHECK(victim_is(at + i * SLICE, SLICE, seeds[i]));
	return victim_end();
}
