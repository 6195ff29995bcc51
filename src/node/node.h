/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * node.h - what the parts of comosixd share
 *
 * One struct, made by main() and alive until the program ends. A part owns what its own header
 * describes and reaches the others through these pointers; all run in one thread, from the loop.
 *
 *	commands --- streams --- dial ------.
 *	                |                   |          (TCP, TLS)
 *	inbound --------+------- relay -----+--- pairs
 *	                                    |      |
 *	                             membership ---'   (UDP, sealed)
 */
#ifndef NODE_NODE_H
#define NODE_NODE_H

#include "net/identity.h"
#include "node/counters.h"
#include "node/settings.h"

struct node {
	struct loop *loop;
	struct settings set;
	struct tls_creds *creds; /* replaced when the certificate was renewed */
	struct identity self;
	uint64_t stamp; /* when we started, ms since 1970 */
	struct counters counters;
	struct directory *directory;
	struct bulletin *bulletin;
	struct revoked *revoked;
	struct pairs *pairs;
	struct membership *membership;
	struct relay *relay;
	struct inbound *inbound;
	struct streams *streams;
	struct moves *moves;
	struct jobs *jobs;
	struct commands *commands;
	struct renewal *renewal;
};

#endif
