/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pairs.h - the keys this node shares with each of its peers, and how they come to be
 *
 * Theory of operation. Who has something to say to a peer and no key makes a PAIR connection; what
 * was to be said is lost, gossip says it again. A key is replaced after an hour or 2^32 datagrams.
 * An old key is dropped when nothing came under it for 30 s: two keys made at once, one from each
 * side, are both heard until the peer has settled. A failed attempt is repeated with a growing
 * pause. A relayed node makes a CONTROL connection instead (relay.h) and has no keys.
 */
#ifndef NODE_PAIRS_H
#define NODE_PAIRS_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct node;
struct pairs;
struct seal;

int pairs_new(struct node *n, struct pairs **ret) MUST_CHECK;
void pairs_free(struct pairs *p);

/**
 * pairs_add() - A key was made with a peer
 * @s:		Owned here from now on, also on failure
 * @until_s:	End of the peer's certificate: the key ends with it
 */
int pairs_add(struct pairs *p, uint32_t id, struct seal *s, int64_t until_s) MUST_CHECK;

/** pairs_want() - There should be a key (or a CONTROL connection) with this peer: make it soon */
void pairs_want(struct pairs *p, uint32_t id);

/** pairs_renew() - Meet this peer again now, also if there is a key */
void pairs_renew(struct pairs *p, uint32_t id);

/** pairs_have() - Is there a key to send with? */
int pairs_have(const struct pairs *p, uint32_t id);

/**
 * pairs_close() - Make a datagram for a peer
 * @to:		@n + SEAL_OVERHEAD bytes
 *
 * Return: 0, -ENOKEY (one is being made now), other -errno
 */
int pairs_close(struct pairs *p, uint32_t id, const void *payload, size_t n, uint8_t *to)
	MUST_CHECK;

/**
 * pairs_open() - Read a datagram
 * @to:		SEAL_PAYLOAD_MAX bytes
 *
 * Return: 0, -ENOKEY (no key of that number), -EBADMSG, -EALREADY
 */
int pairs_open(struct pairs *p, const uint8_t *d, size_t n, uint32_t *ret_from, uint8_t *to,
	       size_t *ret_n) MUST_CHECK;

/** pairs_lost() - A peer says it has no such key: make a new one if it is the peer's newest */
void pairs_lost(struct pairs *p, uint32_t number);

/** pairs_drop() - Forget all about a peer (revoked, removed) */
void pairs_drop(struct pairs *p, uint32_t id);

/** pairs_each() - Call fn for each peer there is a key for */
void pairs_each(struct pairs *p, void (*fn)(void *owner, uint32_t id), void *owner);

#endif
