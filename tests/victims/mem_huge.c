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

static uint32_t *at;
static uint32_t mark[N]; /* what a page was filled with */
static uint32_t last;

static uint32_t *page(unsigned long i)
{
	return at + i * (PAGE / sizeof(*at));
}

static void put(unsigned long i)
{
	uint32_t *p = page(i);

	mark[i] = ++last;
	for (unsigned long k = 0; k < PAGE / sizeof(*p); k++)
		p[k] = mark[i] + (uint32_t)k;
}

static bool has(unsigned long i)
{
	const uint32_t *p = page(i);

	for (unsigned long k = 0; k < PAGE / sizeof(*p); k++)
		if (p[k] != mark[i] + (uint32_t)k)
			return false;
	return true;
}

/* a call that waits, with its arguments in the middle of it all */
static void rest(unsigned long i)
{
	struct timespec *ts = (void *)page(i);

	*ts = (struct timespec){ .tv_nsec = 2000000 };
	(void)nanosleep(ts, NULL);
	put(i);
}

int main(void)
{
	unsigned char *room = mmap(NULL, N * PAGE + HUGE, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t x = 0x9e3779b97f4a7c15;

	NEED(room != MAP_FAILED);
	at = (void *)(((uintptr_t)room + HUGE - 1) & ~(HUGE - 1));
	if (madvise(at, N * PAGE, MADV_HUGEPAGE) != 0)
		victim_skip("this kernel has no huge pages of its own accord");
	for (unsigned long i = 0; i < N; i++)
		put(i);
	victim_ready();
	while (victim_round()) {
		for (int k = 0; k < LOOKS; k++) {
			x = x * 6364136223846793005 + 1442695040888963407;
			CHECK(has((x >> 33) % N));
		}
		rest((x >> 20) % N);
	}
	for (unsigned long i = 0; i < N; i++)
		CHECK(has(i));
	return victim_end();
}
