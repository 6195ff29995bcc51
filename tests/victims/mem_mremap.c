/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mem_mremap.c - a mapping that grows, shrinks and moves keeps its bytes and leaves nothing at its
 * old place
 */
#include "fault.h"
#include "victim.h"

#include <signal.h>
#include <sys/mman.h>

#define PAGE 4096
#define N    8

int main(void)
{
	const int rw = PROT_READ | PROT_WRITE, anon = MAP_PRIVATE | MAP_ANONYMOUS;
	unsigned char *at = mmap(NULL, N * PAGE, rw, anon, -1, 0), *old, *room;
	uint64_t seed = 14;

	NEED(at != MAP_FAILED);
	victim_fill(at, N * PAGE, seed);
	victim_ready();
	while (victim_round()) {
		CHECK(victim_is(at, N * PAGE, seed));
		at = mremap(at, N * PAGE, 4 * N * PAGE, MREMAP_MAYMOVE);
		NEED(at != MAP_FAILED);
		CHECK(victim_is(at, N * PAGE, seed));
		CHECK_EQ(at[N * PAGE] | at[4 * N * PAGE - 1], 0);
		victim_fill(at, 4 * N * PAGE, ++seed);

		room = mmap(NULL, 4 * N * PAGE, PROT_NONE, anon, -1, 0);
		NEED(room != MAP_FAILED);
		old = at;
		at = mremap(old, 4 * N * PAGE, 4 * N * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, room);
		CHECK(at == room);
		CHECK(victim_is(at, 4 * N * PAGE, seed));
		CHECK_EQ(fault_of(old, TOUCH_READ).signal, SIGSEGV);

		CHECK(mremap(at, 4 * N * PAGE, N * PAGE, 0) == at);
		CHECK(victim_is(at, N * PAGE, seed));
		CHECK_EQ(fault_of(at + N * PAGE, TOUCH_READ).signal, SIGSEGV);
	}
	return victim_end();
}
