/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * budget.h - a token bucket that holds what a node sends below its limit (internal to cluster/)
 *
 * It fills at 95 % of the limit and holds half a second of it, so that over any ten seconds no
 * more than the limit is sent. Signs of life may empty it, bulk leaves them a reserve.
 */
#ifndef CLUSTER_BUDGET_H
#define CLUSTER_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

struct budget {
	uint64_t rate_bits; /* a second */
	uint64_t millibits;
	uint64_t at; /* filled up to here */
};

static inline uint64_t budget_full(const struct budget *b)
{
	return b->rate_bits * 500;
}

static inline void budget_init(struct budget *b, uint32_t limit_bits, uint64_t now_ms)
{
	*b = (struct budget){ .rate_bits = limit_bits * 95ULL / 100, .at = now_ms };
	b->millibits = budget_full(b);
}

static inline void budget_fill(struct budget *b, uint64_t now_ms)
{
	uint64_t passed = now_ms > b->at ? now_ms - b->at : 0;
	uint64_t full = budget_full(b);

	if (passed > 1000)
		passed = 1000;
	b->millibits += passed * b->rate_bits;
	if (b->millibits > full)
		b->millibits = full;
	if (now_ms > b->at)
		b->at = now_ms;
}

/* what bulk leaves for signs of life: an eighth of a second */
static inline uint64_t budget_reserve(const struct budget *b)
{
	return b->rate_bits * 125;
}

/** budget_take() - Take bytes out, or nothing. Return: false when there are too few */
static inline bool budget_take(struct budget *b, uint64_t bytes, bool bulk)
{
	uint64_t want = bytes * 8 * 1000;

	if (b->millibits < want + (bulk ? budget_reserve(b) : 0))
		return false;
	b->millibits -= want;
	return true;
}

/** budget_wait_ms() - How long until bulk of this size may go; 0: now */
static inline uint64_t budget_wait_ms(const struct budget *b, uint64_t bytes)
{
	uint64_t want = bytes * 8 * 1000 + budget_reserve(b);

	return b->millibits >= want ? 0 : (want - b->millibits) / b->rate_bits + 1;
}

#endif
