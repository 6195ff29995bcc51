/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * errand.h - one question of a home node to a host, about a process that is or may become its guest
 *
 * Theory of operation. An OPEN MOVE that begins no guest: the host answers OPEN_OK or says why not.
 *
 *	ASK	would it take this process? Asked before a process leaves the node where it is, for
 *		one that is refused should stay there
 *	DROP	the half at home is dead: its guest is to end now, not only by its lease. Said once;
 *		a host that does not hear it has the lease
 *
 * An errand is in the table of moves until it is answered, and goes with that table.
 */
#ifndef NODE_ERRAND_H
#define NODE_ERRAND_H

#include <stdint.h>

#include "base/err.h"

struct move;
struct moves;
struct errand;

enum errand_kind {
	ERRAND_ASK,
	ERRAND_DROP,
};

/**
 * errand_new() - Reach the node and ask
 * @m:		About this one; may go meanwhile
 * @to:		A node's id; @name: its name
 * @done:	May be NULL; called once, unless errand_free() was; status 0: yes; else why is filled
 */
int errand_new(struct moves *all, const struct move *m, enum errand_kind kind, uint32_t to,
	       const char *name, void (*done)(void *owner, int status, const struct err *why),
	       void *owner, struct errand **ret, struct err *e) MUST_CHECK;
void errand_free(struct errand *a);
void errands_free(struct moves *all);

#endif
