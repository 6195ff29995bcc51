/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * membership.h - drives the pure cluster code: clock, UDP, CONTROL streams, directory, load
 *
 * Theory of operation. cluster/ decides what to say to whom; here it is encoded and sent, as a
 * sealed datagram or through a CONTROL connection. Both carry a payload whose first byte says what
 * it is (PAYLOADS). Gossip knows numbers only; who they are is in the directory (bulletin.h).
 */
#ifndef NODE_MEMBERSHIP_H
#define NODE_MEMBERSHIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "wire/control.pb-c.h"

/* first byte of a payload, number; never renumber */
#define PAYLOADS(X)                                                                                \
	X(GOSSIP, 1)	     /* wire/gossip.h */                                                   \
	X(DIRECTORY_ASK, 2)  /* Directory */                                                       \
	X(DIRECTORY_TELL, 3) /* Directory */                                                       \
	X(NOTICE, 4)	     /* Notice */

enum payload {
#define PAYLOAD_ENUM(name, number) PAYLOAD_##name = number,
	PAYLOADS(PAYLOAD_ENUM)
#undef PAYLOAD_ENUM
};

struct node;
struct membership;
struct dir_entry;
struct cluster_view;

/** membership_open() - Bind UDP and begin; the directory must be there */
int membership_open(struct node *n, struct membership **ret, struct err *e) MUST_CHECK;
void membership_close(struct membership *m);

/** membership_leave() - Say good-bye to the others */
void membership_leave(struct membership *m);

/** membership_learn() - A word about a node; @from: the core member that said so, 0: the node */
void membership_learn(struct membership *m, const struct dir_entry *d, uint32_t from);

/** membership_heard() - A payload from a peer that the transport has authenticated */
void membership_heard(struct membership *m, uint32_t from, const uint8_t *p, size_t n);

/** membership_send() - A payload with a message to a peer; may be lost */
void membership_send(struct membership *m, uint32_t to, enum payload what, const void *msg);

/** membership_paired() - There is a key or a CONTROL connection with this peer now */
void membership_paired(struct membership *m, uint32_t id);

/** membership_link() - A relayed node's CONTROL connection came or went */
void membership_link(struct membership *m, uint32_t id, bool up);
void membership_revoked(struct membership *m, uint32_t id);

/** membership_notice() - Tell all peers which revocation list we have, now and twice again */
void membership_notice(struct membership *m);

/** membership_is_up() - Alive, or suspected only */
bool membership_is_up(const struct membership *m, uint32_t id);

uint32_t membership_count(const struct membership *m);
void membership_view(const struct membership *m, uint32_t i, struct cluster_view *ret);
int membership_view_id(const struct membership *m, uint32_t id, struct cluster_view *ret)
	MUST_CHECK;

/** membership_best() - The cheapest members for one more task, cheapest first; see cluster_best()
 */
uint32_t membership_best(struct membership *m, uint32_t *ret_ids, uint32_t max);

/** membership_listen() - Call fn after a member changed (one listener) */
void membership_listen(struct membership *m, void (*fn)(void *owner, uint32_t id), void *owner);

/** membership_stats() - Append the cluster's counters to those of STATUS */
void membership_stats(const struct membership *m,
		      void (*fn)(void *owner, const char *name, uint64_t value), void *owner);

#endif
