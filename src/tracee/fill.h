/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fill.h - pages of a process that are put in when it wants them: userfaultfd(2), missing pages
 *
 * Theory of operation. The descriptor is that of dirty_begin_fill(): the same userfaultfd tells of
 * written pages and of missing ones. A thread that touches a missing page waits until it was filled
 * or woken; woken, it looks again. Who unmaps, gives back or moves memory of a registered mapping
 * waits too, until that was read here: so nothing is ever filled in a place that is another one by
 * now.
 *
 * Whoever reads or writes the process's memory from outside (process_vm_readv(2), /proc/PID/mem)
 * waits for a missing page just the same. One who has to fill it must not: fill_zero() before.
 */
#ifndef TRACEE_FILL_H
#define TRACEE_FILL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"

enum fill_kind {
	FILL_FAULT,   /* at: the page */
	FILL_REMOVED, /* [at, end): unmapped, or given back */
	FILL_MOVED,   /* [at, end) is at `to` now */
};

struct fill_event {
	enum fill_kind kind;
	uint64_t at, end, to;
};

/** fill_read() - What has happened; Return: how many, 0 nothing, -errno */
ssize_t fill_read(int uffd, struct fill_event *events, size_t max) MUST_CHECK;

/**
 * fill_copy() - Put pages in; whoever waits for them goes on
 * @protect:	They count as not written (dirty.h)
 * @ret_done:	How many were put in, or were there already, before it failed
 *
 * Return: 0, -ENOENT this is not (one) registered mapping, -EAGAIN read the events first, -ESRCH
 * the process has ended, -errno
 */
int fill_copy(int uffd, uint64_t at, const void *bytes, uint64_t n, bool protect,
	      uint64_t *ret_done) MUST_CHECK;

/** fill_zero() - The same with zeroes, which take no memory; they count as written */
int fill_zero(int uffd, uint64_t at, uint64_t n, uint64_t *ret_done) MUST_CHECK;

/** fill_wake() - Whoever waits for one of these pages looks again */
void fill_wake(int uffd, uint64_t at, uint64_t n);

#endif
