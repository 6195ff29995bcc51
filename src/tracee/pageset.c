/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pageset.c - a set of pages of an address space */
#include "tracee/pageset.h"

#include <errno.h>
#include <string.h>

#include "base/grow.h"

#define PAGE	    4096
#define CHUNK_PAGES 512
#define WORD_BITS   64

struct pageset_chunk {
	uint64_t number; /* address / PAGE / CHUNK_PAGES */
	uint64_t bits[CHUNK_PAGES / WORD_BITS];
};

void pageset_init(struct pageset *s)
{
	*s = (struct pageset){ 0 };
}

void pageset_done(struct pageset *s)
{
	free(s->chunks);
	*s = (struct pageset){ 0 };
}

/* Index of the first chunk that is not before number */
static size_t lower_bound(const struct pageset *s, uint64_t number)
{
	size_t low = 0, high = s->n;

	if (s->n && s->chunks[s->n - 1].number < number)
		return s->n;
	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (s->chunks[mid].number < number)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static struct pageset_chunk *insert(struct pageset *s, size_t at, uint64_t number)
{
	struct pageset_chunk *p = grow(s->chunks, s->n, &s->cap, 64, sizeof(*p));

	if (!p)
		return NULL;
	s->chunks = p;
	memmove(&s->chunks[at + 1], &s->chunks[at], (s->n - at) * sizeof(*s->chunks));
	s->n++;
	s->chunks[at] = (struct pageset_chunk){ .number = number };
	return &s->chunks[at];
}

static void set_bits(struct pageset_chunk *c, unsigned int from, unsigned int to)
{
	for (unsigned int i = from; i < to; i++)
		c->bits[i / WORD_BITS] |= 1ULL << i % WORD_BITS;
}

int pageset_add(struct pageset *s, uint64_t start, uint64_t n)
{
	uint64_t page = start / PAGE, end = page + n;

	while (page < end) {
		uint64_t number = page / CHUNK_PAGES, next = (number + 1) * CHUNK_PAGES;
		uint64_t stop = next < end ? next : end;
		size_t at = lower_bound(s, number);
		struct pageset_chunk *c = at < s->n && s->chunks[at].number == number
						  ? &s->chunks[at]
						  : insert(s, at, number);

		if (!c)
			return -ENOMEM;
		set_bits(c, (unsigned int)(page % CHUNK_PAGES),
			 (unsigned int)(stop - number * CHUNK_PAGES));
		page = stop;
	}
	return 0;
}

void pageset_del(struct pageset *s, uint64_t start, uint64_t n)
{
	uint64_t page = start / PAGE, end = page + n;

	for (size_t at = lower_bound(s, page / CHUNK_PAGES); at < s->n; at++) {
		struct pageset_chunk *c = &s->chunks[at];
		uint64_t first = c->number * CHUNK_PAGES;
		uint64_t from = page > first ? page - first : 0, to = end - first;

		if (first >= end)
			return;
		for (uint64_t i = from; i < to && i < CHUNK_PAGES; i++)
			c->bits[i / WORD_BITS] &= ~(1ULL << i % WORD_BITS);
	}
}

static bool has(const struct pageset_chunk *c, unsigned int i)
{
	return c->bits[i / WORD_BITS] >> i % WORD_BITS & 1;
}

bool pageset_next(const struct pageset *s, uint64_t from, uint64_t end, uint64_t *ret_start,
		  uint64_t *ret_n)
{
	uint64_t page = from / PAGE, stop = end / PAGE;

	for (size_t at = lower_bound(s, page / CHUNK_PAGES); at < s->n; at++) {
		const struct pageset_chunk *c = &s->chunks[at];
		uint64_t first = c->number * CHUNK_PAGES;
		unsigned int i = page > first ? (unsigned int)(page - first) : 0, k;
		unsigned int limit = stop < first + CHUNK_PAGES && stop > first
					     ? (unsigned int)(stop - first)
					     : CHUNK_PAGES;

		if (first >= stop)
			return false;
		while (i < limit && !has(c, i))
			i++;
		if (i == limit)
			continue;
		for (k = i; k < limit && has(c, k); k++)
			;
		*ret_start = (first + i) * PAGE;
		*ret_n = k - i;
		return true;
	}
	return false;
}
