/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * late.h - pages of a guest that are still at home
 *
 * Theory of operation. After a move by post-copy most pages follow while the process runs. What
 * home has said is late is kept as a few long runs; which pages of them have come since is a set
 * of bits. So a GiB costs one run and 36 KiB.
 *
 *	late = in a run, and not in the set `got`
 *
 * The program changes its mappings meanwhile, and the runs follow: what it unmaps or gives back is
 * dropped, what it moves (mremap) keeps the place that it has at home. Such a run is called
 * displaced; its pages cannot stay at home when the process goes back there.
 *
 * Pure: no system calls, no clock.
 */
#ifndef MIGRATE_LATE_H
#define MIGRATE_LATE_H

#include "tracee/pageset.h"

#define LATE_PAGE     4096
#define LATE_RUNS_MAX (1U << 20) /* more than a process has mappings */

struct late_run {
	uint64_t start, end;
	uint64_t home; /* where its first page is at home */
};

struct late {
	struct late_run *runs; /* owned, ascending, apart from each other */
	size_t n, cap;
	size_t n_displaced;
	struct pageset got, asked;
};

void late_init(struct late *l);
void late_done(struct late *l);

/** late_add() - These pages are at home, in the same place; -ENOMEM, -E2BIG */
int late_add(struct late *l, uint64_t start, uint64_t end) MUST_CHECK;

/** late_got() - They have come; -ENOMEM */
int late_got(struct late *l, uint64_t start, uint64_t n) MUST_CHECK;

/** late_drop() - Nobody wants them any more; -ENOMEM, -E2BIG */
int late_drop(struct late *l, uint64_t start, uint64_t end) MUST_CHECK;

/** late_move() - [start, end) is now at @to; what was late there is dropped; -ENOMEM, -E2BIG */
int late_move(struct late *l, uint64_t start, uint64_t end, uint64_t to) MUST_CHECK;

/** late_ask() - They were asked for; -ENOMEM */
int late_ask(struct late *l, uint64_t start, uint64_t n) MUST_CHECK;
bool late_is_asked(const struct late *l, uint64_t at) MUST_CHECK;

/** late_next() - The first run of late pages in [from, end); false: there is none */
bool late_next(const struct late *l, uint64_t from, uint64_t end, uint64_t *ret_start,
	       uint64_t *ret_n) MUST_CHECK;

/** late_next_unasked() - The same of pages that were not asked for; all of one run at home */
bool late_next_unasked(const struct late *l, uint64_t from, uint64_t end, uint64_t *ret_start,
		       uint64_t *ret_n) MUST_CHECK;

/** late_next_displaced() - The same of late pages that have another place at home */
bool late_next_displaced(const struct late *l, uint64_t from, uint64_t *ret_start, uint64_t *ret_n)
	MUST_CHECK;

/** late_home() - Where a late page is at home */
uint64_t late_home(const struct late *l, uint64_t at) MUST_CHECK;

/**
 * late_place() - Where pages are wanted that home has sent
 * @home:	Address at home of the first
 * @n:		How many
 * @ret_at:	Where they belong; they may have come already
 * @ret_skip:	How many before that nobody wants
 * @ret_n:	How many are in one piece there
 *
 * Return: false: none of them is wanted
 */
bool late_place(const struct late *l, uint64_t home, uint64_t n, uint64_t *ret_at,
		uint64_t *ret_skip, uint64_t *ret_n) MUST_CHECK;

#endif
