/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * state.h - all that one node knows of its cluster (internal to cluster/)
 *
 * The files of this folder share struct cluster; each field names the file that changes it.
 */
#ifndef CLUSTER_STATE_H
#define CLUSTER_STATE_H

#include "base/rng.h"
#include "cluster/budget.h"
#include "cluster/cluster.h"
#include "cluster/member.h"

#define WATCHERS_MAX  8
#define WITNESSES_MAX 4
#define HEALTH_MAX    8
#define ERRANDS_MAX   32
#define NEWS_MAX      8

/* the driver calls tick this often at least, so a longer gap means that we were not running */
#define TICK_MAX_MS 250
#define STALL_MS    650

/* an unheard peer counts as a possible watcher for this long after it was listed */
#define UNHEARD_MS 15000

#define FLAP_DECAY_MS 30000
#define FLAPS_MANY    4

enum doubt_stage {
	DOUBT_PING,	/* asked it ourselves */
	DOUBT_INDIRECT, /* others ask it for us */
	DOUBT_SUSPECT,	/* accused by us; waits for refutation or a second witness */
};

/* a watched member that is silent */
struct doubt {
	uint32_t id;
	uint32_t number; /* of the pings sent because of it */
	enum doubt_stage stage;
	bool sent, held;	 /* a question left us; one could not for want of bandwidth */
	uint8_t asked, answered; /* helpers, and how many said ACK or NACK */
	uint8_t n_witnesses;
	uint32_t witnesses[WITNESSES_MAX]; /* core members that accuse it too */
	uint64_t due;			   /* of the next step */
};

/* a ping we make for another core member */
struct errand {
	uint32_t asker; /* 0: free */
	uint32_t asker_number;
	uint32_t subject;
	uint32_t number; /* of our ping */
	uint64_t due;	 /* then the answer is NACK */
};

struct cluster {
	/* cluster.c */
	struct cluster_config cfg; /* cfg.name is not kept */
	const struct cluster_ops *ops;
	void *ctx;
	struct rng rng;
	struct member_table members;
	struct cluster_stats stats;
	uint64_t last_ms;     /* newest time we were told */
	uint64_t awake_since; /* end of our last stall */
	uint64_t health_at;
	uint64_t unlisted_at;

	/* watch.c: who watches whom; indexes into members, made anew when dirty */
	bool dirty;
	uint64_t survey_at;
	uint32_t *core; /* owned; others that may be there */
	uint32_t n_core;
	uint32_t *watch; /* owned; whom we watch */
	uint32_t n_watch;
	uint32_t watchers[WATCHERS_MAX]; /* ids of our own */
	uint32_t n_watchers;
	uint32_t n_desktops;	/* up, by our table */
	uint32_t told_desktops; /* by core; what a desktop goes by */

	/* doubt.c */
	struct doubt *doubts; /* owned */
	uint32_t n_doubts, cap_doubts;
	struct errand errands[ERRANDS_MAX];
	uint32_t number; /* of the last ping */
	uint64_t scan_at, retry_at;

	/* spread.c */
	struct budget budget;
	uint64_t gossip_at, core_gossip_at;
	uint64_t report_at[WATCHERS_MAX];
	uint32_t n_reports;	 /* entries of report_at in use */
	uint32_t news[NEWS_MAX]; /* ids that died or came back; state.c adds them */
	uint32_t n_news;
	uint32_t packet;    /* number of the packet that is being filled */
	uint32_t *scratch;  /* owned; as many as members */
	uint32_t cap_lists; /* of core, watch and scratch */
	struct gossip_msg out;

	/* best.c: indexes into members */
	uint32_t best[CLUSTER_BEST_MAX];
	uint32_t n_best;
	uint64_t best_at;
};

static inline struct member *cluster_self(const struct cluster *c)
{
	return &c->members.v[0];
}

static inline bool cluster_is_core(const struct cluster *c)
{
	return role_is_core((uint8_t)c->cfg.role);
}

/** state_set() - The only way to change a member's state; the move must be allowed (asserted) */
void state_set(struct cluster *c, uint64_t now_ms, struct member *m, enum cluster_state to,
	       bool mine);

/** state_raise() - A new incarnation of m, and its state in it */
void state_raise(struct cluster *c, uint64_t now_ms, struct member *m, uint32_t incarnation,
		 enum cluster_state to);

/** state_forget() - As if we had never heard of it; not after REVOKED (asserted) */
void state_forget(struct cluster *c, uint64_t now_ms, struct member *m);

/** state_flapping() - Came and went too often of late */
bool state_flapping(const struct member *m, uint64_t now_ms);

/** state_health_worse() - One more sign that we ourselves are starved or cut off */
void state_health_worse(struct cluster *c, uint32_t by);

#endif
