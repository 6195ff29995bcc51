/* SPDX-License-Identifier: GPL-2.0-or-later */
/* late.c - pages of a guest that are still at home */
#include "migrate/late.h"

#include <errno.h>
#include <string.h>

#include "base/grow.h"

#define ALWAYS UINT64_MAX

void late_init(struct late *l)
{
	*l = (struct late){ 0 };
	pageset_init(&l->got);
	pageset_init(&l->asked);
}

void late_done(struct late *l)
{
	free(l->runs);
	pageset_done(&l->got);
	pageset_done(&l->asked);
	late_init(l);
}

/* ------------------------------------------------------------------- runs */

/* index of the first run that ends behind an address */
static size_t behind(const struct late *l, uint64_t at)
{
	size_t low = 0, high = l->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (l->runs[mid].end <= at)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static bool is_displaced(const struct late_run *r)
{
	return r->home != r->start;
}

static int insert(struct late *l, size_t at, const struct late_run *r)
{
	if (l->n == LATE_RUNS_MAX)
		return -E2BIG;

	struct late_run *more = grow(l->runs, l->n, &l->cap, 64, sizeof(*more));

	if (!more)
		return -ENOMEM;
	l->runs = more;
	memmove(&l->runs[at + 1], &l->runs[at], (l->n - at) * sizeof(*l->runs));
	l->runs[at] = *r;
	l->n++;
	l->n_displaced += is_displaced(r);
	return 0;
}

static void take_out(struct late *l, size_t at)
{
	l->n_displaced -= is_displaced(&l->runs[at]);
	memmove(&l->runs[at], &l->runs[at + 1], (--l->n - at) * sizeof(*l->runs));
}

int late_drop(struct late *l, uint64_t start, uint64_t end)
{
	size_t i = behind(l, start);

	while (i < l->n && l->runs[i].start < end) {
		struct late_run r = l->runs[i];
		struct late_run rest = { end, r.end, r.home + (end - r.start) };

		if (r.start < start && r.end > end) { /* a hole in the middle */
			int e = insert(l, i + 1, &rest);

			if (e < 0)
				return e;
			l->runs[i].end = start;
			return 0;
		}
		if (r.start < start) {
			l->runs[i++].end = start;
		} else if (r.end > end) {
			l->runs[i] = rest;
			return 0;
		} else {
			take_out(l, i);
		}
	}
	return 0;
}

/* pages that were there before, in the same place, are forgotten */
static int add(struct late *l, const struct late_run *r)
{
	int e = late_drop(l, r->start, r->end);

	if (!e)
		e = insert(l, behind(l, r->start), r);
	if (!e) {
		pageset_del(&l->got, r->start, (r->end - r->start) / LATE_PAGE);
		pageset_del(&l->asked, r->start, (r->end - r->start) / LATE_PAGE);
	}
	return e;
}

int late_add(struct late *l, uint64_t start, uint64_t end)
{
	return add(l, &(struct late_run){ start, end, start });
}

/* Of all that moves: first where it is from, for the places may overlap in what the kernel calls old */
int late_move(struct late *l, uint64_t start, uint64_t end, uint64_t to)
{
	struct late moved;
	uint64_t at = start, n;
	int r = 0;

	late_init(&moved);
	while (!r && late_next(l, at, end, &at, &n)) {
		const struct late_run *in = &l->runs[behind(l, at)];
		uint64_t stop = at + n * LATE_PAGE;

		stop = stop < in->end ? stop : in->end;
		r = insert(&moved, moved.n,
			   &(struct late_run){ at - start + to, stop - start + to,
					       in->home + (at - in->start) });
		at = stop;
	}
	if (!r)
		r = late_drop(l, start, end);
	if (!r)
		r = late_drop(l, to, to + (end - start));
	for (size_t i = 0; !r && i < moved.n; i++)
		r = add(l, &moved.runs[i]);
	late_done(&moved);
	return r;
}

/* ------------------------------------------------------------------- pages */

int late_got(struct late *l, uint64_t start, uint64_t n)
{
	return pageset_add(&l->got, start, n);
}

int late_ask(struct late *l, uint64_t start, uint64_t n)
{
	return pageset_add(&l->asked, start, n);
}

bool late_is_asked(const struct late *l, uint64_t at)
{
	uint64_t start, n;

	return pageset_next(&l->asked, at, at + LATE_PAGE, &start, &n);
}

/* the first run of pages of [from, end) that are not in a set; false: there is none */
static bool next_not_in(const struct pageset *s, uint64_t from, uint64_t end, uint64_t *ret_start,
			uint64_t *ret_end)
{
	uint64_t start, n;

	while (from < end && pageset_next(s, from, end, &start, &n)) {
		if (start > from) {
			*ret_start = from;
			*ret_end = start;
			return true;
		}
		from = start + n * LATE_PAGE;
	}
	*ret_start = from;
	*ret_end = end;
	return from < end;
}

bool late_next(const struct late *l, uint64_t from, uint64_t end, uint64_t *ret_start,
	       uint64_t *ret_n)
{
	for (size_t i = behind(l, from); i < l->n && l->runs[i].start < end; i++) {
		const struct late_run *r = &l->runs[i];
		uint64_t a = r->start > from ? r->start : from, b = r->end < end ? r->end : end;

		if (next_not_in(&l->got, a, b, &a, &b)) {
			*ret_start = a;
			*ret_n = (b - a) / LATE_PAGE;
			return true;
		}
	}
	return false;
}

bool late_next_unasked(const struct late *l, uint64_t from, uint64_t end, uint64_t *ret_start,
		       uint64_t *ret_n)
{
	uint64_t a, n, b;

	while (late_next(l, from, end, &a, &n)) {
		from = a + n * LATE_PAGE;
		if (next_not_in(&l->asked, a, from, &a, &b)) {
			*ret_start = a;
			*ret_n = (b - a) / LATE_PAGE;
			return true;
		}
	}
	return false;
}

bool late_next_displaced(const struct late *l, uint64_t from, uint64_t *ret_start, uint64_t *ret_n)
{
	for (size_t i = behind(l, from); l->n_displaced && i < l->n; i++) {
		const struct late_run *r = &l->runs[i];

		if (is_displaced(r) &&
		    late_next(l, r->start > from ? r->start : from, r->end, ret_start, ret_n))
			return true;
	}
	return false;
}

uint64_t late_home(const struct late *l, uint64_t at)
{
	size_t i = behind(l, at);

	return i < l->n && l->runs[i].start <= at ? l->runs[i].home + (at - l->runs[i].start) : at;
}

bool late_place(const struct late *l, uint64_t home, uint64_t n, uint64_t *ret_at,
		uint64_t *ret_skip, uint64_t *ret_n)
{
	uint64_t end = home + n * LATE_PAGE, first = ALWAYS;
	/* nothing has moved: the runs are in the order that they have at home */
	size_t i = l->n_displaced ? 0 : behind(l, home);

	for (; i < l->n && (l->n_displaced || l->runs[i].start < end); i++) {
		const struct late_run *r = &l->runs[i];
		uint64_t r_end = r->home + (r->end - r->start);
		uint64_t a = r->home > home ? r->home : home, b = r_end < end ? r_end : end;

		if (a >= b || a >= first)
			continue;
		first = a;
		*ret_at = r->start + (a - r->home);
		*ret_skip = (a - home) / LATE_PAGE;
		*ret_n = (b - a) / LATE_PAGE;
	}
	return first != ALWAYS;
}
