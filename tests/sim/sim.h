/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sim.h - many nodes of src/cluster in one process, on a fake network and fake clocks
 *
 * A discrete-event simulator: one queue, one seed, one thread; the same seed gives the same run to
 * the last packet. Nodes are numbered from 0; node i has the id i + 1. The first one is the head,
 * the next n_core - 1 are servers, the others desktops.
 */
#ifndef TESTS_SIM_SIM_H
#define TESTS_SIM_SIM_H

#include "base/rng.h"
#include "cluster/cluster.h"
#include "queue.h"

#define SIM_SECOND 1000000ULL

struct sim_config {
	uint32_t nodes, core;
	uint64_t seed;
	double loss;	    /* of packets */
	double duplicates;  /* of packets that are not lost */
	uint64_t delay_us;  /* the least; on top comes jitter */
	uint64_t jitter_us; /* mean of an exponential distribution */
	uint32_t grid_ms;   /* a daemon wakes up at multiples of it, to save CPU; 0: at once */
	uint32_t drift_ppm; /* clocks are up to this wrong, each its own way */
	uint32_t relayed;   /* each so many-th desktop has outgoing connections only, 0: none */
	uint32_t desktop_members; /* members_max of desktops, 0: the default, and all are listed */
	bool codec;		  /* encode and decode each packet for real */
	struct cluster_tune tune;
};

/* what the true load sample of each node was, to measure ages against */
#define SIM_SAMPLES 1024

struct sim_node {
	struct cluster *cluster; /* NULL: down */
	struct sim *sim;
	uint32_t id;
	enum cluster_role role;
	bool relayed;
	bool liar;	     /* the scenario speaks for it too */
	uint32_t side;	     /* nodes of different sides do not hear each other */
	double rate;	     /* of its clock */
	uint64_t offset_us;  /* of its clock */
	uint64_t tick_at_us; /* the tick that is in the queue, and its number */
	uint32_t tick_number;
	uint64_t load_at_us; /* next sample */
	uint64_t stalled_until_us;
	struct packet *late_first, *late_last; /* came while it was stalled; owned */
	uint32_t n_late;
	double busy; /* its load's random walk */
	struct load_profile profile;
	uint32_t seq;	     /* of its own newest sample */
	uint64_t *sample_us; /* owned; when sample number seq was taken */
	uint64_t down_since_us;
	uint64_t bits, bits_mark, bits_peak; /* sent; at the last mark; most between two marks */
	uint64_t link_at_us[4]; /* relayed: core nodes that hold its connections, and since when */
	uint32_t link_to[4];
};

struct sim {
	struct sim_config cfg;
	struct rng rng;
	uint64_t now_us;
	struct queue queue;
	struct sim_node *nodes;		 /* owned */
	uint64_t events, packets, trace; /* trace: a hash over all that was delivered */

	/* the scenario's; may be NULL */
	void *ctx;
	void (*changed)(struct sim *s, struct sim_node *n, const struct cluster_change *ch);
	void (*script)(struct sim *s, uint32_t number);
};

void sim_config_default(struct sim_config *cfg);

void sim_init(struct sim *s, const struct sim_config *cfg);
void sim_done(struct sim *s);

/** sim_run() - Let time pass until then */
void sim_run(struct sim *s, uint64_t until_us);

/** sim_at() - Call s->script with this number then */
void sim_at(struct sim *s, uint64_t at_us, uint32_t number);

void sim_start(struct sim *s, uint32_t node);
void sim_kill(struct sim *s, uint32_t node);

/** sim_stall() - It gets no CPU until then; what arrives waits in its socket, if there is room */
void sim_stall(struct sim *s, uint32_t node, uint64_t until_us);

/** sim_inject() - A packet from one node to another that no cluster code made */
void sim_inject(struct sim *s, uint32_t from, uint32_t to, const struct gossip_msg *m);

/** sim_local_ms() - What its clock says */
uint64_t sim_local_ms(const struct sim *s, const struct sim_node *n);

/** sim_true_age_us() - How old the sample is that observer has of subject; UINT64_MAX: none */
uint64_t sim_true_age_us(const struct sim *s, const struct sim_node *observer,
			 const struct cluster_view *of);

static inline bool sim_is_core(const struct sim_node *n)
{
	return n->role != CLUSTER_DESKTOP;
}

#endif
