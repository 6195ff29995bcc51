/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mem_madvise.c - MADV_DONTNEED gives zeros, MADV_FREE zeros or the old bytes, the other advice
 * changes no byte
 */
#include "victim.h"

#include <string.h>
#include <sys/mman.h>

#define PAGE 4096
#define N    32

static unsigned char old[N * PAGE];

static bool is_zero(const unsigned char *page)
{
	static const unsigned char zero[PAGE];

	return memcmp(page, zero, PAGE) == 0;
}

int main(void)
{
	static const int harmless[] = { MADV_NORMAL,   MADV_RANDOM,   MADV_SEQUENTIAL,
					MADV_WILLNEED, MADV_HUGEPAGE, MADV_DONTDUMP,
					MADV_DODUMP,   MADV_COLD };
	unsigned char *at = mmap(NULL, N * PAGE, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t seed = 15;

	NEED(at != MAP_FAILED);
	victim_fill(at, N * PAGE, seed);
	victim_ready();
	while (victim_round()) {
		CHECK(victim_is(at, N * PAGE, seed));
		for (size_t i = 0; i < sizeof(harmless) / sizeof(harmless[0]); i++)
			CHECK_EQ(madvise(at, N * PAGE, harmless[i]), 0);
		CHECK(victim_is(at, N * PAGE, seed));

		CHECK_EQ(madvise(at + 2 * PAGE, 4 * PAGE, MADV_DONTNEED), 0);
		for (int i = 0; i < 4 * PAGE; i += 64)
			CHECK_EQ(at[2 * PAGE + i], 0);
		CHECK(victim_is(at, 2 * PAGE, seed));
		victim_fill(at, N * PAGE, ++seed);

		memcpy(old, at, N * PAGE);
		CHECK_EQ(madvise(at, N * PAGE, MADV_FREE), 0);
		for (int i = 0; i < N; i++)
			CHECK(is_zero(at + i * PAGE) ||
			      memcmp(at + i * PAGE, old + i * PAGE, PAGE) == 0);
		/* a write after it makes the page stay */
		victim_fill(at, N * PAGE, ++seed);
	}
	return victim_end();
}
