/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sweep.h - keep the cache of volumes within its size
 *
 * Boxes write to the cache while it is swept. So nothing is followed, and all is done by name in
 * the open directory. What a box made and no worker makes (directories, links, pipes) goes at once;
 * what root made of that kind (lost+found) stays, and is not looked into.
 */
#ifndef NODE_SWEEP_H
#define NODE_SWEEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct sweep_limits {
	uint64_t max_bytes;	  /* what may stay */
	uint64_t reserve_bytes;	  /* of the file system, to be left free ... */
	uint32_t reserve_percent; /* ... but no more than this part of it */
	size_t files_at_once;	  /* kept in memory; more are gone through in rounds */
};

/* what could not be had, because the rest is in use */
struct sweep_left {
	bool too_large;
	bool no_reserve;
};

/**
 * sweep_cache() - Remove what was not used for the longest time until the rest fits
 * @dir:	The cache; a missing one is no error
 * @limits:	See above
 * @ret:	Filled on success
 * @e:		Reason
 *
 * A file that somebody has locked (blast/cache/cache.h) is in use and stays. Blocks: for a child of
 * the daemon.
 *
 * Return: 0 or -errno
 */
int sweep_cache(const char *dir, const struct sweep_limits *limits, struct sweep_left *ret,
		struct err *e) MUST_CHECK;

#endif
