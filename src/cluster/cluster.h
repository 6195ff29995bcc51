/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cluster.h - who is in the cluster, who is alive, and how busy each one is
 *
 * Pure: what happens comes in by function calls that carry the time, what is to be done goes out
 * by the callbacks of struct cluster_ops. The daemon drives it from its epoll loop, tests/sim
 * drives ten thousand of it from one queue. How it works and what it promises is in
 * docs/GOSSIP.md.
 *
 * A driver does this:
 *
 *	cluster_new();
 *	cluster_peer_added() for each entry of the head's directory, again when one changes;
 *	every load_ms (500 ms):		cluster_set_load()
 *	datagram opened and decoded:	cluster_receive()
 *	cluster_deadline() is reached:	cluster_tick()	(it is never more than 250 ms away)
 *
 * Callbacks may look at the views, and must not call anything else of this header.
 */
#ifndef CLUSTER_CLUSTER_H
#define CLUSTER_CLUSTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "wire/gossip.h"

#define CLUSTER_NAME_MAX 63
#define CLUSTER_BEST_MAX 100

/* head and server are "core": they relay, suspect and declare; a desktop speaks of itself only */
enum cluster_role {
	CLUSTER_DESKTOP,
	CLUSTER_SERVER,
	CLUSTER_HEAD,
};

#define CLUSTER_STATES(X)                                                                          \
	X(UNHEARD, "unheard") /* listed in the directory; no word yet. Never a target for work */  \
	X(ALIVE, "alive")                                                                          \
	X(SUSPECT, "suspect") /* silent; may refute. No new work goes there */                     \
	X(DEAD, "dead")	      /* declared by core members. Comes back by a new incarnation only */ \
	X(LEFT, "left")	      /* went by its own word. Comes back like a dead one */               \
	X(REVOKED, "revoked") /* FINAL: nothing it says is heard any more */

enum cluster_state {
#define X(name, text) CLUSTER_##name,
	CLUSTER_STATES(X)
#undef X
};

#define CLUSTER_N_STATES (CLUSTER_REVOKED + 1)

/** cluster_state_name() - "alive" */
const char *cluster_state_name(enum cluster_state s);

/** cluster_role_name() - "desktop", "server", "head" */
const char *cluster_role_name(enum cluster_role r);

/* field, default, least, most, what it is */
#define CLUSTER_TUNABLES(X)                                                                        \
	X(rate_bits, 60000, 8000, 100000000, "most bits a second this node sends")                 \
	X(overhead_bytes, 68, 0, 200, "what UDP, IP and the seal add to a message")                \
	X(load_ms, 500, 50, 10000, "how often the driver calls cluster_set_load()")                \
	X(report_ms, 700, 100, 10000, "how often a node reports to each of its watchers")          \
	X(desktops_per_core, 100, 1, 10000, "above this many, reports get rarer")                  \
	X(watchers, 3, 1, 8, "core members that each node reports to")                             \
	X(gossip_ms, 150, 50, 10000, "least time between two packets of entries")                  \
	X(core_gossip_ms, 400, 50, 10000,                                                          \
	  "between two packets to core members, when there are about ten")                         \
	X(silence_ms, 350, 50, 10000, "after a report is due, before the first ping")              \
	X(ping_ms, 200, 20, 10000, "for an answer, before others are asked to ping")               \
	X(indirect_ms, 400, 50, 10000, "for an answer through others, before suspicion")           \
	X(dead_ms, 8000, 1000, 600000, "of silence, before a confirmed suspect is dead")           \
	X(dead_alone_ms, 16000, 1000, 600000, "the same when nobody confirms")                     \
	X(retry_ms, 2000, 100, 600000, "between two tries to reach a dead member")                 \
	X(members_max, 16384, 16, 1000000, "table limit; what is unlisted above it is not kept")

struct cluster_tune {
#define X(field, dflt, least, most, help) uint32_t field;
	CLUSTER_TUNABLES(X)
#undef X
};

/** cluster_tune_default() - Fill in the table's defaults */
void cluster_tune_default(struct cluster_tune *t);

struct cluster_config {
	uint32_t id; /* from the certificate, not 0 */
	const char *name;
	enum cluster_role role;
	uint64_t seed;	      /* of all random choices; from os/rand.h in the daemon */
	uint32_t incarnation; /* 0: 1. A node that remembers none is told by its peers */
	struct cluster_tune tune;
};

/* where a peer listens; the cluster keeps it for its caller and does not look into it */
struct cluster_addr {
	uint8_t ip[16]; /* v4 as ::ffff:a.b.c.d */
	uint16_t port;
};

/* what the head's directory or a certificate says of a peer */
struct cluster_peer {
	uint32_t id; /* not 0; of our own entry name and address are taken */
	const char *name;
	enum cluster_role role;
	struct cluster_addr addr;
	bool relayed; /* has outgoing connections only: not direct until cluster_peer_link() */
};

struct cluster_change {
	uint32_t id;
	enum cluster_state from, to;
	uint32_t incarnation; /* the new one */
	bool mine;	      /* to SUSPECT or DEAD: found here, not told by others */
};

struct cluster_ops {
	/* encode, seal and send one datagram; m is gone when this returns. Losing it is allowed */
	void (*send)(void *ctx, uint32_t to, const struct gossip_msg *m);
	/* a member's state or incarnation changed (our own too) */
	void (*changed)(void *ctx, const struct cluster_change *ch);
	/* somebody spoke, or core spoke, of an id without a directory entry: ask the head for it.
	 * At most one call a second. May be NULL */
	void (*unlisted)(void *ctx, uint32_t id);
};

struct cluster;

/**
 * cluster_new() - A cluster of one
 * @cfg:	Copied
 * @ops:	Must live as long as the cluster
 * @ctx:	For the callbacks
 * @now_ms:	A clock that does not go back (CLOCK_BOOTTIME); the same for all calls
 * @ret:	Set on success only
 * @e:		Reason: which field is out of its range
 *
 * Return: 0, -EINVAL, -ENOMEM
 */
int cluster_new(const struct cluster_config *cfg, const struct cluster_ops *ops, void *ctx,
		uint64_t now_ms, struct cluster **ret, struct err *e) MUST_CHECK;
void cluster_free(struct cluster *c);

/**
 * cluster_peer_added() - The directory has this peer, or has it with a new name, role or address
 *
 * Return: 0, -EINVAL (id or name), -EKEYREVOKED (told as revoked before), -ENOSPC (members_max),
 * -ENOMEM
 */
int cluster_peer_added(struct cluster *c, uint64_t now_ms, const struct cluster_peer *p,
		       struct err *e) MUST_CHECK;

/** cluster_peer_removed() - The directory has dropped it (a revoked one is kept); no change event
 */
void cluster_peer_removed(struct cluster *c, uint32_t id);

/** cluster_peer_revoked() - Its certificate is on the signed list: final, kept even if unlisted
 *
 * Return: 0, -EINVAL (id), -ENOMEM
 */
int cluster_peer_revoked(struct cluster *c, uint64_t now_ms, uint32_t id) MUST_CHECK;

/**
 * cluster_peer_link() - Whether we can send to it ourselves
 * @direct:	Peers that are not relayed start as true; set false only when it is known that no
 *		packet can go there (a relayed node without connection to us)
 */
void cluster_peer_link(struct cluster *c, uint64_t now_ms, uint32_t id, bool direct);

/** cluster_set_load() - Our own sample; it is a sign of life too, so call it also when unchanged */
void cluster_set_load(struct cluster *c, uint64_t now_ms, const struct load *l);

/** cluster_set_profile() - Our own hardware; before the first cluster_set_load() */
void cluster_set_profile(struct cluster *c, uint64_t now_ms, const struct load_profile *p);

/**
 * cluster_receive() - A peer spoke
 * @from:	Whom the transport has authenticated; unlisted ones are dropped and counted
 * @m:		From gossip_decode()
 */
void cluster_receive(struct cluster *c, uint64_t now_ms, uint32_t from, const struct gossip_msg *m);

/** cluster_tick() - Do what is due; early and late calls are harmless */
void cluster_tick(struct cluster *c, uint64_t now_ms);

/** cluster_deadline() - When to call cluster_tick() next */
uint64_t cluster_deadline(const struct cluster *c);

/** cluster_leave() - Say good-bye; afterwards only receive and free make sense */
void cluster_leave(struct cluster *c, uint64_t now_ms);

/* ---- views ---- */

struct cluster_view {
	uint32_t id;
	const char *name; /* "" when unlisted; valid until the next call that changes the cluster */
	enum cluster_role role;
	enum cluster_state state;
	struct cluster_addr addr;
	uint32_t incarnation, seq; /* which word of it we have */
	bool listed, direct, self;
	bool has_load, has_profile;
	bool flapping;	      /* came and went too often of late; gets no work */
	uint64_t load_age_ms; /* of the load sample, when has_load */
	uint64_t since_ms;    /* time of the last change of state */
	struct load load;
	struct load_profile profile;
};

/** cluster_count() - Members in the table, ourselves included */
uint32_t cluster_count(const struct cluster *c);

/** cluster_view_at() - The i-th of them; 0 is ourselves; the order changes with removals */
void cluster_view_at(const struct cluster *c, uint64_t now_ms, uint32_t i,
		     struct cluster_view *ret);

/** cluster_view_id() - Return: 0, -ENOENT */
int cluster_view_id(const struct cluster *c, uint64_t now_ms, uint32_t id, struct cluster_view *ret)
	MUST_CHECK;

/**
 * cluster_cost() - What one more task would cost there: small is good
 *
 * Tasks per CPU after it came, divided by the CPU's speed; dearer when memory is short.
 */
double cluster_cost(const struct load *l, const struct load_profile *p);

/**
 * cluster_best() - The cheapest members that take guests, cheapest first; not ourselves
 * @ret_ids:	At least @max long
 * @max:	<= CLUSTER_BEST_MAX
 *
 * Alive, accepting, not draining, not flapping, and known to be so of late.
 *
 * Return: how many
 */
uint32_t cluster_best(struct cluster *c, uint64_t now_ms, uint32_t *ret_ids, uint32_t max);

/* name, what is counted */
#define CLUSTER_STATS(X)                                                                           \
	X(sent_packets, "packets sent")                                                            \
	X(sent_bytes, "bytes sent, UDP, IP and seal included")                                     \
	X(received_packets, "packets heard")                                                       \
	X(held_back, "packets not sent because of the bandwidth limit")                            \
	X(dropped_unlisted, "packets from ids without a directory entry")                          \
	X(dropped_revoked, "packets from revoked members")                                         \
	X(dropped_flood, "packets from a desktop that talks too much")                             \
	X(dropped_foreign, "entries by which a desktop spoke of others")                           \
	X(dropped_flap, "incarnations that came too fast")                                         \
	X(probes, "members pinged because they were silent")                                       \
	X(suspected, "suspicions raised here")                                                     \
	X(declared, "deaths declared here")                                                        \
	X(refuted, "times we had to say that we are alive")                                        \
	X(stalls, "times we woke up late ourselves")

struct cluster_stats {
#define X(name, help) uint64_t name;
	CLUSTER_STATS(X)
#undef X
	uint32_t health; /* 0: well; up to 8: we are starved or cut off, and accuse later */
	size_t memory_bytes;
};

void cluster_stats(const struct cluster *c, struct cluster_stats *ret);

#endif
