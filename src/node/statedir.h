/* SPDX-License-Identifier: GPL-2.0-or-later */
/* statedir.h - node.json: what a node was told when it joined */
#ifndef NODE_STATEDIR_H
#define NODE_STATEDIR_H

#include "base/err.h"

struct directory;

/**
 * statedir_peers() - Put the peers of node.json into the directory
 * @dir:	State directory
 * @to:		Gets an entry for each, with stamp 0
 * @e:		Reason
 *
 * Return: 0 or -errno
 */
int statedir_peers(const char *dir, struct directory *to, struct err *e) MUST_CHECK;

#endif
