/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * inbound.h - connections from other nodes, until it is known what they want
 *
 * Each has 5 s for TLS and 5 s for HELLO. There is a limit on all, on those of one address (how
 * many and how fast) and on those that have not shown who they are; above it a connection is closed
 * unheard. An address from which garbage came is not heard for a while. What is wrong with a peer
 * is logged once in a while, with its address.
 */
#ifndef NODE_INBOUND_H
#define NODE_INBOUND_H

#include <stdint.h>

#include "base/err.h"

struct node;
struct conn;
struct inbound;

/** inbound_open() - Listen */
int inbound_open(struct node *n, struct inbound **ret, struct err *e) MUST_CHECK;
void inbound_close(struct inbound *i);

/** inbound_adopt() - A stream through which a peer will begin TLS as a client */
void inbound_adopt(struct inbound *i, struct conn *c, const char *from);

/** inbound_drop() - End what comes from a node and has not been handed on */
void inbound_drop(struct inbound *i, uint32_t id);

#endif
