/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * census.h - at the head: which processes of all nodes are away
 *
 * Theory of operation. Only head and servers are home to processes. The head's daemon keeps one
 * stream (OPEN MOVES, follow) to each server that is up and holds what it tells; so one question to
 * it answers for the cluster, and the control point needs no connection but that one. What a server
 * said is dropped with its stream, and asked again when it is back. Other nodes have an empty
 * census.
 */
#ifndef NODE_CENSUS_H
#define NODE_CENSUS_H

#include "base/err.h"
#include "wire/control.pb-c.h"

#define CENSUS_ROWS_MAX 4096 /* of one server; more are not told */

struct node;
struct census;

/** census_new() - told: called for each change, whatever became of the process */
int census_new(struct node *n, void (*told)(void *owner, const Cmx__MoveInfo *m), void *owner,
	       struct census **ret) MUST_CHECK;
void census_free(struct census *c);

/** census_each() - All rows, until fn returns other than 0; that value */
int census_each(const struct census *c, int (*fn)(void *owner, const Cmx__MoveInfo *m),
		void *owner);

#endif
