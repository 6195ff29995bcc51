/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mem_changing.c - much memory is moved, given back, mapped anew, protected and passed to calls, in
 * any order, and each page has what was put there last
 */
#include "victim.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#define PAGE  4096UL
#define N     16384UL /* 64 MiB: enough to be changed while it moves */
#define MOST  256UL   /* pages of one change */
#define MOVES 40      /* changes of a round */

static unsigned char *at;
static uint32_t mark[N]; /* what a page was filled with; 0: zeroes */
static uint32_t last;
static int fd;

static uint64_t rnd(void)
{
	static uint64_t x = 0x9e3779b97f4a7c15;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return x;
}

static unsigned char *page(unsigned long i)
{
	return at + i * PAGE;
}

static void put(unsigned char *p, uint32_t m)
{
	for (unsigned long k = 0; k < PAGE / sizeof(m); k++)
		((uint32_t *)(void *)p)[k] = m ? m + (uint32_t)k : 0;
}

static bool has(const unsigned char *p, uint32_t m)
{
	for (unsigned long k = 0; k < PAGE / sizeof(m); k++)
		if (((const uint32_t *)(const void *)p)[k] != (m ? m + (uint32_t)k : 0))
			return false;
	return true;
}

static void fill(unsigned long i, unsigned long n)
{
	for (; n; i++, n--)
		put(page(i), mark[i] = ++last);
}

static void zero(unsigned long i, unsigned long n)
{
	memset(&mark[i], 0, n * sizeof(*mark));
}

static void give_back(unsigned long i, unsigned long n)
{
	CHECK_EQ(madvise(page(i), n * PAGE, MADV_DONTNEED), 0);
	zero(i, n);
}

static void map_anew(unsigned long i, unsigned long n)
{
	CHECK_EQ(munmap(page(i), n * PAGE), 0);
	NEED(mmap(page(i), n * PAGE, PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == page(i));
	zero(i, n);
}

static void map_over(unsigned long i, unsigned long n)
{
	NEED(mmap(page(i), n * PAGE, PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == page(i));
	zero(i, n);
	fill(i, 1);
}

/* to another place, over what is there; the old one is mapped anew; page by page: one mapping each */
static void move(unsigned long i, unsigned long n)
{
	unsigned long to = (i + N / 2) % N;

	n = n > 16 ? 16 : n;
	n = to + n > N ? N - to : n;
	for (unsigned long k = 0; k < n; k++) {
		NEED(mremap(page(i + k), PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, page(to + k)) ==
		     page(to + k));
		mark[to + k] = mark[i + k];
	}
	NEED(mmap(page(i), n * PAGE, PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == page(i));
	zero(i, n);
}

/* away and back again, as one that grows would go */
static void there_and_back(unsigned long i, unsigned long n)
{
	unsigned char *other;

	for (unsigned long k = 0; k < n; k += n / 2 + 1) {
		other = mremap(page(i + k), PAGE, 3 * PAGE, MREMAP_MAYMOVE);
		NEED(other != MAP_FAILED);
		CHECK(has(other, mark[i + k]));
		CHECK(has(other + PAGE, 0));
		NEED(mremap(other, 3 * PAGE, PAGE, 0) == other);
		if (other != page(i + k))
			NEED(mremap(other, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
				    page(i + k)) == page(i + k));
	}
}

static void protect(unsigned long i, unsigned long n)
{
	CHECK_EQ(mprotect(page(i), n * PAGE, PROT_READ), 0);
	CHECK(has(page(i), mark[i]));
	CHECK_EQ(mprotect(page(i), n * PAGE, PROT_READ | PROT_WRITE), 0);
}

/* out of memory that the program has not touched for long, and into other such memory */
static void through_a_file(unsigned long i, unsigned long n)
{
	unsigned long to = (i + N / 3) % N;
	struct iovec v[2];

	n = to + n > N ? N - to : n;
	v[0] = (struct iovec){ page(i), n * PAGE / 2 + 7 };
	v[1] = (struct iovec){ page(i) + v[0].iov_len, n * PAGE - v[0].iov_len };
	CHECK_EQ(pwritev(fd, v, 2, 0), (ssize_t)(n * PAGE));
	CHECK_EQ(pread(fd, page(to), n * PAGE, 0), (ssize_t)(n * PAGE));
	memmove(&mark[to], &mark[i], n * sizeof(*mark));
}

static void look(unsigned long i, unsigned long n)
{
	for (; n; i++, n--)
		CHECK(has(page(i), mark[i]));
}

static void (*const changes[])(unsigned long i, unsigned long n) = {
	fill,		give_back, map_anew,	   map_over, move,
	there_and_back, protect,   through_a_file, look,     look,
};

int main(void)
{
	victim_scratch();
	fd = open("file", O_RDWR | O_CREAT, 0600);
	at = mmap(NULL, N * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	NEED(fd >= 0 && at != MAP_FAILED);
	NEED(madvise(at, N * PAGE, MADV_NOHUGEPAGE) == 0);
	fill(0, N - N / 8); /* the rest is not touched at first */
	victim_ready();
	while (victim_round()) {
		for (int k = 0; k < MOVES; k++) {
			unsigned long i = rnd() % N, n = 1 + rnd() % MOST;

			n = i + n > N ? N - i : n;
			changes[rnd() % (sizeof(changes) / sizeof(*changes))](i, n);
		}
	}
	look(0, N);
	return victim_end();
}
