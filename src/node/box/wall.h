/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * wall.h - the walls of a box, in the order they are put up
 *
 * Each function is called once, by pid 1 of new namespaces, before anything that is not trusted
 * runs. None can be undone. A failure must end the process.
 */
#ifndef NODE_BOX_WALL_H
#define NODE_BOX_WALL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct wall {
	uint32_t uid, gid;
	uint64_t scratch_bytes;
	uint64_t memory_bytes; /* 0: no limit */
	uint32_t processes;
	const char *cache;   /* NULL: none */
	const char *program; /* absolute, no link in it */
	bool idle;
};

/** wall_files() - A root of its own: what node/box.h promises, and nothing of the host */
int wall_files(const struct wall *w, struct err *e) MUST_CHECK;

/** wall_limits() - What it may use up, and that all others come first */
int wall_limits(const struct wall *w, struct err *e) MUST_CHECK;

/** wall_rights() - Its own uid, no group, no capability, no way to one */
int wall_rights(const struct wall *w, struct err *e) MUST_CHECK;

/** wall_calls() - The system calls it may not make */
int wall_calls(struct err *e) MUST_CHECK;

#endif
