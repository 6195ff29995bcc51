/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mem_sparse.c - in a gigabyte of reserved memory the few pages that were written hold, all others
 * are zero
 */
#include "victim.h"

#include <sys/mman.h>

#define PAGE  4096
#define SIZE  (1UL << 30)
#define N_MAX 600

static struct page {
	uint64_t *at, seed;
} pages[N_MAX];

int main(void)
{
	unsigned char *room = mmap(NULL, SIZE, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	uint64_t seed = 23;
	int n = 0;

	NEED(room != MAP_FAILED);
	NEED(madvise(room, SIZE, MADV_NOHUGEPAGE) == 0);
	victim_ready();
	while (victim_round()) {
		for (int i = 0; i < 5; i++) {
			struct page *p = &pages[n % N_MAX];
			/* an odd factor: no two of the last N_MAX places are the same */
			size_t place = (n * 2 + 1) * 435UL % (SIZE / PAGE) * PAGE;

			if (p->at)
				CHECK_EQ(madvise(p->at, PAGE, MADV_DONTNEED), 0);
			p->at = (uint64_t *)(room + place);
			p->seed = victim_random(&seed);
			CHECK_EQ(p->at[0] | p->at[511], 0);
			victim_fill(p->at, PAGE, p->seed);
			n++;
		}
		for (int i = 0; i < N_MAX && pages[i].at; i++)
			CHECK(victim_is(pages[i].at, PAGE, pages[i].seed));
	}
	return victim_end();
}
