/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mem_stack_deep.c - the main stack grows to megabytes by itself and keeps the frames of a deep
 * recursion
 */
#include "victim.h"

#define DEPTH 1500
#define FRAME 2000

static int descend(int depth, uint64_t seed)
{
	volatile unsigned char frame[FRAME];
	int below;

	victim_fill((void *)frame, sizeof(frame), seed + depth);
	if (depth == 0)
		victim_pause(1000 * 1000);
	below = depth == 0 ? 0 : descend(depth - 1, seed);
	return below + victim_is((void *)frame, sizeof(frame), seed + depth);
}

int main(void)
{
	uint64_t seed = 9;
	int deep = 0;

	victim_ready();
	while (victim_round()) {
		deep = deep % 3 + 1;
		CHECK_EQ(descend(deep * DEPTH / 3, victim_random(&seed)), deep * DEPTH / 3 + 1);
	}
	return victim_end();
}
