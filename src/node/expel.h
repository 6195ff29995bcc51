/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * expel.h - a new revocation list takes effect here and is told to everybody
 */
#ifndef NODE_EXPEL_H
#define NODE_EXPEL_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct node;

/**
 * expel_take() - Somebody brought a list
 * @p, @len:	A packed Statement
 * @from:	Number of the node, 0: a command of this node
 *
 * A new one: sessions, keys and streams of the revoked end at once, and all peers are told.
 *
 * Return: 0 taken or known, -errno it was refused (logged and counted)
 */
int expel_statement(struct node *n, const void *p, size_t len, uint32_t from, struct err *e);

/** expel_take() - The same where nobody waits for an answer */
void expel_take(struct node *n, const void *p, size_t len, uint32_t from);

/** expel_apply() - Let the list that is loaded take effect; at start */
void expel_apply(struct node *n);

#endif
