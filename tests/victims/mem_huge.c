/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mem_huge.c - memory that may be huge pages: each page has what was put there last, also around a
 * place that a call is about
 */
#include "victim.h"

#include <sys/mman.h>
#include <time.h>

#define PAGE  4096UL
#define N     8192UL /* 32 MiB */
#define HUGE  (2UL << 20)
#define LOOKS 64

static unsigned char *at;
static uint64_t mark[N]; /* what a page was filled with */
static uint64_t last;

static void put(unsigned long i)
{
	victim_fill(at + i * PAGE, PAGE, mark[i] = ++last);
}

/* a call that waits, with its arguments in the middle of it all */
static void rest(unsigned long i)
{
	struct timespec *ts = (void *)(at + i * PAGE);

	*ts = (struct timespec){ .tv_nsec = 2000000 };
	(void)nanosleep(ts, NULL);
	put(i);
}

int main(void)
{
	unsigned char *room = mmap(NULL, N * PAGE + HUGE, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t x = 1;

	NEED(room != MAP_FAILED);
	at = (void *)(((uintptr_t)room + HUGE - 1) & ~(HUGE - 1));
	if (madvise(at, N * PAGE, MADV_HUGEPAGE) != 0)
		victim_skip("this kernel has no huge pages of its own accord");
	for (unsigned long i = 0; i < N; i++)
		put(i);
	victim_ready();
	while (victim_round()) {
		for (int k = 0; k < LOOKS; k++) {
			unsigned long i = victim_random(&x) % N;

			CHECK(victim_is(at + i * PAGE, PAGE, mark[i]));
		}
		rest(victim_random(&x) % N);
	}
	for (unsigned long i = 0; i < N; i++)
		CHECK(victim_is(at + i * PAGE, PAGE, mark[i]));
	return victim_end();
}
