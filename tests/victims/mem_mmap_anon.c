/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mem_mmap_anon.c - anonymous mappings come zeroed, at the place that was asked for, and go when
 * unmapped
 */
#include "fault.h"
#include "victim.h"

#include <signal.h>
#include <sys/mman.h>

#define PAGE 4096
#define N    16

int main(void)
{
	uint64_t seed = 8;
	const int rw = PROT_READ | PROT_WRITE, anon = MAP_PRIVATE | MAP_ANONYMOUS;
	unsigned char *room = mmap(NULL, N * PAGE, PROT_NONE, anon | MAP_NORESERVE, -1, 0);

	NEED(room != MAP_FAILED);
	victim_ready();
	while (victim_round()) {
		unsigned char *p = room + victim_random(&seed) % (N - 4) * PAGE, *q;

		CHECK(mmap(p, 4 * PAGE, rw, anon | MAP_FIXED, -1, 0) == p);
		CHECK_EQ(p[0] | p[PAGE] | p[4 * PAGE - 1], 0);
		victim_fill(p, 4 * PAGE, seed);
		CHECK(mmap(p + PAGE, PAGE, rw, anon | MAP_FIXED_NOREPLACE, -1, 0) == MAP_FAILED);
		CHECK_EQ(munmap(p + PAGE, PAGE), 0);
		CHECK_EQ(fault_of(p + PAGE, TOUCH_READ).signal, SIGSEGV);
		CHECK(mmap(p + PAGE, PAGE, rw, anon | MAP_FIXED_NOREPLACE, -1, 0) == p + PAGE);
		CHECK(victim_is(p, PAGE, seed));
		CHECK_EQ(p[PAGE], 0);
		CHECK(mmap(room, N * PAGE, PROT_NONE, anon | MAP_FIXED | MAP_NORESERVE, -1, 0) ==
		      room);

		q = mmap(NULL, 64 * PAGE, rw, anon | MAP_POPULATE, -1, 0);
		NEED(q != MAP_FAILED);
		CHECK_EQ(q[63 * PAGE], 0);
		CHECK_EQ(munmap(q, 64 * PAGE), 0);
		CHECK_ERR(munmap(q + 1, PAGE), 22);
	}
	return victim_end();
}
