/* SPDX-License-Identifier: GPL-2.0-or-later */
/* prefetch.c - which of the late pages are asked for next */
#include "migrate/prefetch.h"

#include <string.h>

#define TRAIL_BYTES (256ULL << 10)
#define WALK_HITS   2
#define WALK_MOST   (1LL << 20) /* a longer step is no walk */
#define AHEAD_FIRST 8
#define AHEAD_MOST  64
#define TOP	    (UINT64_MAX & ~(uint64_t)(LATE_PAGE - 1))

void prefetch_init(struct prefetch *p)
{
	*p = (struct prefetch){ .window = PREFETCH_WINDOW_MAX / 2 };
}

static void begin_trail(struct prefetch *p, uint64_t at)
{
	uint64_t block = at & ~(TRAIL_BYTES - 1);

	if (p->n_trails == PREFETCH_TRAILS)
		memmove(p->trails, p->trails + 1, --p->n_trails * sizeof(*p->trails));
	p->trails[p->n_trails++] = (struct prefetch_trail){
		.from = at,
		.end = block + TRAIL_BYTES,
		.begin = block,
	};
}

void prefetch_fault(struct prefetch *p, uint64_t at)
{
	int64_t step = (int64_t)(at - p->last);
	unsigned int n;

	p->hits = step && step == p->stride ? p->hits + 1 : 0;
	p->stride = step;
	p->last = at;
	if (p->hits >= WALK_HITS && step <= WALK_MOST && step >= -WALK_MOST) {
		n = AHEAD_FIRST << (p->hits - WALK_HITS < 3 ? p->hits - WALK_HITS : 3);
		p->ahead = at + (uint64_t)step;
		p->n_ahead = n < AHEAD_MOST ? n : AHEAD_MOST;
	}
	begin_trail(p, at);
}

void prefetch_answered(struct prefetch *p, uint64_t us)
{
	if (us > PREFETCH_SLOW_US)
		p->window /= 2;
	else if (us < PREFETCH_SLOW_US / 2)
		p->window += p->window / 8;
	if (p->window < PREFETCH_WINDOW_MIN)
		p->window = PREFETCH_WINDOW_MIN;
	if (p->window > PREFETCH_WINDOW_MAX)
		p->window = PREFETCH_WINDOW_MAX;
}

static bool next_ahead(struct prefetch *p, const struct late *l, uint64_t *ret_start,
		       uint64_t *ret_n)
{
	/* page by page in ascending order is one run */
	unsigned int step = p->stride == LATE_PAGE ? p->n_ahead : 1;

	while (p->n_ahead) {
		uint64_t at = p->ahead;

		p->n_ahead -= step;
		p->ahead += (uint64_t)p->stride * step;
		if (at < TOP &&
		    late_next_unasked(l, at, at + (uint64_t)step * LATE_PAGE, ret_start, ret_n))
			return true;
	}
	return false;
}

static bool next_of_trails(struct prefetch *p, const struct late *l, uint64_t *ret_start,
			   uint64_t *ret_n)
{
	while (p->n_trails) {
		struct prefetch_trail *t = &p->trails[p->n_trails - 1];

		if (late_next_unasked(l, t->from, t->end, ret_start, ret_n))
			return true;
		if (t->wrapped)
			p->n_trails--;
		t->wrapped = true;
		t->from = t->begin;
	}
	return false;
}

static bool next_of_all(struct prefetch *p, const struct late *l, uint64_t *ret_start,
			uint64_t *ret_n)
{
	/* once more from the beginning: what was moved may be behind */
	bool found = late_next_unasked(l, p->sweep, TOP, ret_start, ret_n) ||
		     late_next_unasked(l, 0, p->sweep, ret_start, ret_n);

	p->sweep = found ? *ret_start : 0;
	return found;
}

bool prefetch_next(struct prefetch *p, const struct late *l, uint64_t *ret_start, uint64_t *ret_n)
{
	bool found = next_ahead(p, l, ret_start, ret_n) || next_of_trails(p, l, ret_start, ret_n) ||
		     next_of_all(p, l, ret_start, ret_n);

	if (found && *ret_n > PREFETCH_PIECE)
		*ret_n = PREFETCH_PIECE;
	return found;
}
