/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pageset.h - a set of pages of an address space
 *
 * Chunks of 512 pages (2 MiB) with one bit for each, in an array ordered by address: 36 KiB for a
 * GiB that is full, nothing for what is empty. Made to be filled in ascending order.
 */
#ifndef TRACEE_PAGESET_H
#define TRACEE_PAGESET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

struct pageset_chunk;

struct pageset {
	struct pageset_chunk *chunks; /* owned, ascending */
	size_t n, cap;
};

void pageset_init(struct pageset *s);
void pageset_done(struct pageset *s);

/** pageset_add() - @n pages from @start on; -ENOMEM: some of them may be in */
int pageset_add(struct pageset *s, uint64_t start, uint64_t n) MUST_CHECK;

/** pageset_del() - They are not in any more */
void pageset_del(struct pageset *s, uint64_t start, uint64_t n);

/**
 * pageset_next() - The first run of pages of [from, end) that are in
 * @ret_start, @ret_n:	The run
 *
 * A run ends with its chunk at the latest.
 *
 * Return: false when there is none
 */
bool pageset_next(const struct pageset *s, uint64_t from, uint64_t end, uint64_t *ret_start,
		  uint64_t *ret_n) MUST_CHECK;

#endif
