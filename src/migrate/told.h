/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * told.h - failures that are no news
 *
 * A thread may be killed at any moment, a stream may break at any moment. What we try with it then
 * fails, and its end comes to us in its own way (tracee_wait(), channel_ops.broken). told_later()
 * marks the places where that is so, and nothing is left to be done.
 */
#ifndef MIGRATE_TOLD_H
#define MIGRATE_TOLD_H

static inline void told_later(int result)
{
	(void)result;
}

#endif
