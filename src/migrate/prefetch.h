/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * prefetch.h - which of the late pages are asked for next, before the program stumbles over them
 *
 * Theory of operation. The program's faults say where it is. In this order:
 *
 *	ahead	it walks: three faults at the same distance, so the next places are known
 *	trails	beside each of the last faults, forward to the end of its 256 KiB and then from their
 *		beginning; the newest first
 *	sweep	everything, in ascending order
 *
 * How much is on its way at a time is the window. A fault has to wait for what was asked before it,
 * so the window is halved when one took long, and grows again while they are answered quickly.
 *
 * Pure: faults and times are arguments.
 */
#ifndef MIGRATE_PREFETCH_H
#define MIGRATE_PREFETCH_H

#include "migrate/late.h"

#define PREFETCH_TRAILS	    8
#define PREFETCH_PIECE	    32 /* pages that are asked for in one go */
#define PREFETCH_WINDOW_MIN 64 /* 256 KiB: 2 ms of a Gigabit network */
#define PREFETCH_WINDOW_MAX 256
#define PREFETCH_SLOW_US    5000 /* a fault that took longer was behind too much else */

struct prefetch {
	uint64_t last;
	int64_t stride;
	unsigned int hits; /* faults that were where the stride said */
	uint64_t ahead;	   /* of the walk: the next place */
	unsigned int n_ahead;
	struct prefetch_trail {
		uint64_t from, end, begin;
		bool wrapped; /* the part before the fault, now */
	} trails[PREFETCH_TRAILS];
	unsigned int n_trails;
	uint64_t sweep;
	uint32_t window; /* pages */
};

void prefetch_init(struct prefetch *p);

/** prefetch_fault() - The program wanted the page at this address, and it was late */
void prefetch_fault(struct prefetch *p, uint64_t at);

/** prefetch_answered() - So long did a fault take */
void prefetch_answered(struct prefetch *p, uint64_t us);

/**
 * prefetch_next() - What to ask for now
 *
 * Return: false: all that is late was asked for
 */
bool prefetch_next(struct prefetch *p, const struct late *l, uint64_t *ret_start, uint64_t *ret_n)
	MUST_CHECK;

#endif
