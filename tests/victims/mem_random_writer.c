/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mem_random_writer.c - no write into random places of 16 MiB is lost or comes back */
#include "victim.h"

#include <sys/mman.h>

#define N_PAGES	   4096
#define PAGE_WORDS 512
#define N_WRITES   5000

static uint64_t want[N_PAGES]; /* the sum of the words of each page */

static uint64_t sum(const uint64_t *page)
{
	uint64_t s = 0;

	for (int i = 0; i < PAGE_WORDS; i++)
		s += page[i];
	return s;
}

int main(void)
{
	uint64_t *at = mmap(NULL, N_PAGES * PAGE_WORDS * 8, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t seed = 7;

	NEED(at != MAP_FAILED);
	victim_ready();
	while (victim_round()) {
		for (int i = 0; i < N_WRITES; i++) {
			uint64_t r = victim_random(&seed), place = r % (N_PAGES * PAGE_WORDS);

			want[place / PAGE_WORDS] += r - at[place];
			at[place] = r;
		}
		for (int i = 0; i < N_PAGES; i++)
			CHECK_EQ(sum(at + i * PAGE_WORDS), want[i]);
	}
	return victim_end();
}
