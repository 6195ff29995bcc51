/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sweep.h - keep the cache of volumes within its size */
#ifndef NODE_SWEEP_H
#define NODE_SWEEP_H

#include <stdint.h>

#include "base/err.h"

/**
 * sweep_cache() - Remove what was not used for the longest time until the rest fits
 * @dir:	The cache; only regular files in it and two levels below are looked at
 * @max_bytes:	What may stay
 * @e:		Reason
 *
 * A file that a task has open stays readable for it. Blocks: for a child of the daemon.
 *
 * Return: 0 or -errno
 */
int sweep_cache(const char *dir, uint64_t max_bytes, struct err *e) MUST_CHECK;

#endif
