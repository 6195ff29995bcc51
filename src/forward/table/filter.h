/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * filter.h - the seccomp filter of a guest, made from the table of calls
 *
 * Theory of operation. The guest's kernel runs this program at each call:
 *
 *	LOCAL			ALLOW
 *	SPECIAL			TRACE, with the call's number as data
 *	everything else		USER_NOTIF, also other architectures and numbers nobody knows: the
 *				agent sends such a process home
 *
 * Calls that a computing program makes all the time are compared first, the others are found by
 * halving the numbers. Where the class depends on an argument (table_case), it is looked at here
 * when one of the outcomes is LOCAL or SPECIAL; the agent sees the same verdict by table_judge().
 */
#ifndef FORWARD_TABLE_FILTER_H
#define FORWARD_TABLE_FILTER_H

#include <linux/filter.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

#define FILTER_INSNS_MAX  1024
#define FILTER_RANGES_MAX 16

/* memory where madvise(2) must not throw pages away: what was there is not here */
struct filter_range {
	uint64_t start, end;
};

/**
 * filter_watch() - One more range, behind those that there are
 *
 * One that touches the last one is joined with it; so is it when there is no room for more.
 *
 * @v, @n:	FILTER_RANGES_MAX of them
 */
void filter_watch(struct filter_range *v, size_t *n, uint64_t start, uint64_t end);

/**
 * filter_build() - The filter program
 * @own_from, @own_to: Calls whose syscall instruction ends in (own_from, own_to] are allowed: the
 *		code that the agent injects. 0, 0: none. Both in the same 4 GiB, else -EINVAL
 * @watched, @n: Ascending; madvise(2) that gives back memory from within them is USER_NOTIF
 * @to:		FILTER_INSNS_MAX instructions
 * @ret_n:	How many were written
 *
 * Return: 0, -EINVAL, -E2BIG
 */
int filter_build(uint64_t own_from, uint64_t own_to, const struct filter_range *watched, size_t n,
		 struct sock_filter *to, size_t *ret_n) MUST_CHECK;

#endif
