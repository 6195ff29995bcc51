/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sim.c - the simulator's engine
 *
 * Theory of operation
 *
 * Time is in microseconds and common to all; each node's clock runs a little fast or slow and has
 * its own zero. A node has one tick in the queue, at the cluster's deadline or its next load
 * sample; when a call moves the deadline forward a new tick is put and the old one is stale.
 *
 * A packet is lost, or arrives after delay + jitter, perhaps twice, perhaps behind a later one. A
 * stalled node runs nothing: packets wait in a queue as long as a socket's, and when it wakes up
 * its tick and the packets run in an order that the dice decide.
 *
 * A relayed node's outgoing packet opens a connection, over which the other side can answer until
 * it has been idle for LINK_US or one of them restarts: the node daemon and a NAT do the same.
 */
#include "sim.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#define LATE_MAX 256 /* packets in a socket's buffer */
#define LINK_US	 (60 * SIM_SECOND)

struct packet {
	struct packet *next;   /* in a stalled node's queue */
	uint32_t from;	       /* node */
	struct gossip_msg msg; /* allocated up to its last entry */
};

void sim_config_default(struct sim_config *cfg)
{
	*cfg = (struct sim_config){
		.nodes = 100,
		.core = 10,
		.seed = 1,
		.loss = 0.01,
		.duplicates = 0.001,
		.delay_us = 200,
		.jitter_us = 300,
		.drift_ppm = 100,
		.grid_ms = 50,
	};
	cluster_tune_default(&cfg->tune);
}

uint64_t sim_local_ms(const struct sim *s, const struct sim_node *n)
{
	return (uint64_t)(((double)s->now_us * n->rate + (double)n->offset_us) / 1000);
}

static uint64_t on_grid(const struct sim *s, uint64_t local_ms)
{
	uint64_t grid = s->cfg.grid_ms;

	return grid > 1 ? (local_ms + grid - 1) / grid * grid : local_ms;
}

/* when its clock will say so */
static uint64_t true_us(const struct sim *s, const struct sim_node *n, uint64_t local_ms)
{
	double us = ((double)local_ms * 1000 - (double)n->offset_us) / n->rate;
	uint64_t at = us > 0 ? (uint64_t)us + 1 : 0;

	return at > s->now_us ? at : s->now_us;
}

static void schedule(struct sim *s, struct sim_node *n)
{
	uint64_t at = true_us(s, n, on_grid(s, cluster_deadline(n->cluster)));

	if (at > n->load_at_us)
		at = n->load_at_us;
	if (at >= n->tick_at_us)
		return;
	n->tick_at_us = at;
	queue_put(&s->queue, (struct event){ .at_us = at,
					     .kind = EVENT_TICK,
					     .node = n->id - 1,
					     .number = ++n->tick_number });
}

/* ---- network ---- */

static size_t packet_size(const struct gossip_msg *m)
{
	return offsetof(struct packet, msg) + offsetof(struct gossip_msg, entries) +
	       m->n_entries * sizeof(m->entries[0]);
}

static struct packet *packet_new(uint32_t from, const struct gossip_msg *m)
{
	struct packet *p = malloc(packet_size(m));

	assert(p);
	p->next = NULL;
	p->from = from;
	memcpy(&p->msg, m, packet_size(m) - offsetof(struct packet, msg));
	return p;
}

static struct sim_node *link_find(struct sim *s, struct sim_node *relayed, uint32_t to,
				  uint64_t **ret_at)
{
	for (size_t i = 0; i < ARRAY_LEN(relayed->link_to); i++) {
		if (relayed->link_to[i] != to || relayed->link_at_us[i] == 0)
			continue;
		*ret_at = &relayed->link_at_us[i];
		return &s->nodes[to];
	}
	return NULL;
}

static void link_drop(struct sim *s, struct sim_node *relayed, size_t i)
{
	struct sim_node *peer = &s->nodes[relayed->link_to[i]];

	if (relayed->link_at_us[i] && peer->cluster)
		cluster_peer_link(peer->cluster, sim_local_ms(s, peer), relayed->id, false);
	relayed->link_at_us[i] = 0;
}

/* a relayed node sends: the connection it goes over is there from now on */
static void link_open(struct sim *s, struct sim_node *relayed, uint32_t to)
{
	size_t oldest = 0;
	uint64_t *at;

	if (link_find(s, relayed, to, &at)) {
		*at = s->now_us;
		return;
	}
	for (size_t i = 1; i < ARRAY_LEN(relayed->link_to); i++)
		if (relayed->link_at_us[i] < relayed->link_at_us[oldest])
			oldest = i;
	link_drop(s, relayed, oldest);
	relayed->link_to[oldest] = to;
	relayed->link_at_us[oldest] = s->now_us;
	if (s->nodes[to].cluster)
		cluster_peer_link(s->nodes[to].cluster, sim_local_ms(s, &s->nodes[to]), relayed->id,
				  true);
}

static bool gets_through(struct sim *s, struct sim_node *from, struct sim_node *to)
{
	uint64_t *at;

	if (from->side != to->side || !to->cluster)
		return false;
	if (from->relayed && to->relayed)
		return false;
	if (from->relayed)
		link_open(s, from, to->id - 1);
	else if (to->relayed)
		return link_find(s, to, from->id - 1, &at) && s->now_us - *at < LINK_US;
	return true;
}

static uint64_t delay_us(struct sim *s)
{
	return s->cfg.delay_us + (uint64_t)(-log(1 - rng_unit(&s->rng)) * s->cfg.jitter_us);
}

/* a packet arrives when it does, and is fetched when its node wakes up next */
static uint64_t fetched_us(struct sim *s, const struct sim_node *to)
{
	uint64_t arrives = s->now_us + delay_us(s);
	uint64_t local_ms = (uint64_t)(((double)arrives * to->rate + (double)to->offset_us) / 1000);
	uint64_t fetched = true_us(s, to, on_grid(s, local_ms));

	return fetched > arrives ? fetched : arrives;
}

void sim_inject(struct sim *s, uint32_t from, uint32_t to, const struct gossip_msg *m)
{
	int copies = 1;

	if (!gets_through(s, &s->nodes[from], &s->nodes[to]) || rng_unit(&s->rng) < s->cfg.loss)
		return;
	if (rng_unit(&s->rng) < s->cfg.duplicates)
		copies = 2;
	while (copies-- > 0)
		queue_put(&s->queue, (struct event){ .at_us = fetched_us(s, &s->nodes[to]),
						     .kind = EVENT_PACKET,
						     .node = to,
						     .packet = packet_new(from, m) });
}

static void through_codec(const struct gossip_msg *m)
{
	static struct gossip_msg decoded;
	struct err e = { 0 };
	struct buf b;

	buf_init(&b, GOSSIP_BYTES_MAX);
	if (gossip_encode(m, &b, &e) < 0 || gossip_decode(buf_bytes(&b), b.len, &decoded, &e) < 0) {
		fprintf(stderr, "sim: a node made a message that is none: %s\n", e.text);
		abort();
	}
	assert(b.len == gossip_size(m));
	buf_done(&b);
}

static void on_send(void *ctx, uint32_t to, const struct gossip_msg *m)
{
	struct sim_node *n = ctx;
	struct sim *s = n->sim;

	assert(to > 0 && to <= s->cfg.nodes && to != n->id);
	if (s->cfg.codec)
		through_codec(m);
	n->bits += 8 * (gossip_size(m) + s->cfg.tune.overhead_bytes);
	s->packets++;
	sim_inject(s, n->id - 1, to - 1, m);
}

static void on_changed(void *ctx, const struct cluster_change *ch)
{
	struct sim_node *n = ctx;

	if (n->sim->changed)
		n->sim->changed(n->sim, n, ch);
}

static const struct cluster_ops ops = {
	.send = on_send,
	.changed = on_changed,
};

/* ---- nodes ---- */

static void sample_load(struct sim *s, struct sim_node *n)
{
	struct load l;
	struct cluster_view v;
	uint64_t now_ms = sim_local_ms(s, n);

	/* a random walk between idle and overloaded, with an owner who comes and goes */
	n->busy += (rng_unit(&s->rng) - 0.5) * 0.2;
	n->busy = n->busy < 0 ? 0 : n->busy > 2 ? 2 : n->busy;
	l = (struct load){
		.run_centi = (uint16_t)(n->busy * 100),
		.free_16mib = (uint16_t)(n->profile.mem_16mib * (1 - n->busy / 3)),
		.util_pct = (uint8_t)(n->busy < 1 ? n->busy * 100 : 100),
		.flags = LOAD_ACCEPTS,
	};
	cluster_set_load(n->cluster, now_ms, &l);
	cluster_view_at(n->cluster, now_ms, 0, &v); /* itself */
	n->sample_us[v.seq % SIM_SAMPLES] = s->now_us;
	n->seq = v.seq;
	n->load_at_us = s->now_us + s->cfg.tune.load_ms * 1000ULL;
}

uint64_t sim_true_age_us(const struct sim *s, const struct sim_node *observer,
			 const struct cluster_view *of)
{
	const struct sim_node *n = &s->nodes[of->id - 1];
	uint64_t age_us = of->load_age_ms * 1000;

	if (!of->has_load || of->seq == 0)
		return UINT64_MAX;
	/* the ring has been overwritten when it is so old; then what the observer thinks is good */
	if (age_us > SIM_SAMPLES / 2 * s->cfg.tune.load_ms * 1000ULL)
		return age_us;
	return s->now_us - n->sample_us[of->seq % SIM_SAMPLES];
}

static void add_peers(struct sim *s, struct sim_node *n)
{
	for (uint32_t i = 0; i < s->cfg.nodes; i++) {
		const struct sim_node *o = &s->nodes[i];
		char name[16];
		struct cluster_peer p = {
			.id = o->id, .name = name, .role = o->role, .relayed = o->relayed
		};
		int r;

		/* a desktop of a large cluster is told of core members only */
		if (o == n || (s->cfg.desktop_members && !sim_is_core(n) && !sim_is_core(o)))
			continue;
		(void)snprintf(name, sizeof(name), "n%u", i);
		r = cluster_peer_added(n->cluster, sim_local_ms(s, n), &p, NULL);
		assert(r == 0);
	}
	/* connections that relayed nodes still hold to it are gone */
	for (uint32_t i = 0; i < s->cfg.nodes; i++)
		for (size_t j = 0; s->nodes[i].relayed && j < ARRAY_LEN(n->link_to); j++)
			if (s->nodes[i].link_to[j] == n->id - 1)
				s->nodes[i].link_at_us[j] = 0;
}

void sim_start(struct sim *s, uint32_t node)
{
	struct sim_node *n = &s->nodes[node];
	char name[16];
	struct cluster_config cfg = {
		.id = n->id,
		.name = name,
		.role = n->role,
		.seed = rng_u64(&s->rng),
		.tune = s->cfg.tune,
	};
	struct err e = { 0 };

	assert(!n->cluster);
	n->seq = 0;
	(void)snprintf(name, sizeof(name), "n%u", node);
	if (s->cfg.desktop_members && !sim_is_core(n))
		cfg.tune.members_max = s->cfg.desktop_members;
	if (cluster_new(&cfg, &ops, n, sim_local_ms(s, n), &n->cluster, &e) < 0) {
		fprintf(stderr, "sim: %s\n", e.text);
		abort();
	}
	add_peers(s, n);
	cluster_set_profile(n->cluster, sim_local_ms(s, n), &n->profile);
	n->stalled_until_us = 0;
	n->down_since_us = 0;
	n->load_at_us = s->now_us + rng_below(&s->rng, s->cfg.tune.load_ms * 1000);
	n->tick_at_us = UINT64_MAX;
	schedule(s, n);
}

static void late_drop(struct sim_node *n)
{
	while (n->late_first) {
		struct packet *p = n->late_first;

		n->late_first = p->next;
		free(p);
	}
	n->n_late = 0;
}

void sim_kill(struct sim *s, uint32_t node)
{
	struct sim_node *n = &s->nodes[node];

	cluster_free(n->cluster);
	n->cluster = NULL;
	n->tick_number++;
	n->down_since_us = s->now_us;
	late_drop(n);
	for (size_t i = 0; n->relayed && i < ARRAY_LEN(n->link_to); i++)
		link_drop(s, n, i);
}

void sim_stall(struct sim *s, uint32_t node, uint64_t until_us)
{
	s->nodes[node].stalled_until_us = until_us;
}

/* ---- events ---- */

static void deliver(struct sim *s, struct sim_node *n, struct packet *p)
{
	struct cluster_view v;

	s->trace = (s->trace ^ s->now_us ^ (uint64_t)n->id << 40 ^ (uint64_t)p->from << 20) *
		   0x100000001b3ULL;
	cluster_receive(n->cluster, sim_local_ms(s, n), s->nodes[p->from].id, &p->msg);
	free(p);
	/* a refutation counts the sample on without taking a new one */
	cluster_view_at(n->cluster, 0, 0, &v);
	if (v.seq != n->seq)
		n->sample_us[v.seq % SIM_SAMPLES] = n->sample_us[n->seq % SIM_SAMPLES];
	n->seq = v.seq;
}

static void run_tick(struct sim *s, struct sim_node *n)
{
	n->tick_at_us = UINT64_MAX;
	if (s->now_us >= n->load_at_us)
		sample_load(s, n);
	cluster_tick(n->cluster, sim_local_ms(s, n));
}

static void run_late(struct sim *s, struct sim_node *n)
{
	while (n->late_first) {
		struct packet *p = n->late_first;

		n->late_first = p->next;
		n->n_late--;
		deliver(s, n, p);
	}
}

static void handle_tick(struct sim *s, const struct event *e)
{
	struct sim_node *n = &s->nodes[e->node];

	if (!n->cluster || e->number != n->tick_number)
		return;
	if (s->now_us < n->stalled_until_us) {
		queue_put(&s->queue, (struct event){ .at_us = n->stalled_until_us,
						     .kind = EVENT_TICK,
						     .node = e->node,
						     .number = e->number });
		return;
	}
	if (n->n_late > 0 && rng_below(&s->rng, 2))
		run_late(s, n);
	run_tick(s, n);
	run_late(s, n);
	schedule(s, n);
}

static void handle_packet(struct sim *s, const struct event *e)
{
	struct sim_node *n = &s->nodes[e->node];
	struct packet *p = e->packet;

	if (!n->cluster) {
		free(p);
		return;
	}
	if (s->now_us >= n->stalled_until_us && n->n_late == 0) {
		deliver(s, n, p);
		schedule(s, n);
		return;
	}
	if (n->n_late == LATE_MAX) {
		free(p);
		return;
	}
	p->next = NULL;
	if (n->late_first)
		n->late_last->next = p;
	else
		n->late_first = p;
	n->late_last = p;
	n->n_late++;
}

void sim_run(struct sim *s, uint64_t until_us)
{
	struct event e;

	while (s->queue.n > 0 && s->queue.v[0].at_us <= until_us) {
		(void)queue_take(&s->queue, &e); /* there is one */
		s->now_us = e.at_us;
		s->events++;
		switch (e.kind) {
		case EVENT_TICK:
			handle_tick(s, &e);
			break;
		case EVENT_PACKET:
			handle_packet(s, &e);
			break;
		case EVENT_SCRIPT:
			s->script(s, e.number);
			break;
		}
	}
	s->now_us = until_us;
}

void sim_at(struct sim *s, uint64_t at_us, uint32_t number)
{
	queue_put(&s->queue,
		  (struct event){ .at_us = at_us, .kind = EVENT_SCRIPT, .number = number });
}

/* ---- begin and end ---- */

void sim_init(struct sim *s, const struct sim_config *cfg)
{
	static const uint16_t cpus[] = { 2, 4, 4, 8, 16 };
	uint32_t desktops = 0;

	*s = (struct sim){ .cfg = *cfg };
	rng_init(&s->rng, cfg->seed);
	s->nodes = calloc(cfg->nodes, sizeof(*s->nodes));
	assert(s->nodes && cfg->core >= 1 && cfg->core <= cfg->nodes);
	for (uint32_t i = 0; i < cfg->nodes; i++) {
		struct sim_node *n = &s->nodes[i];

		n->sim = s;
		n->id = i + 1;
		n->role = i == 0 ? CLUSTER_HEAD : i < cfg->core ? CLUSTER_SERVER : CLUSTER_DESKTOP;
		if (!sim_is_core(n) && cfg->relayed)
			n->relayed = desktops++ % cfg->relayed == 0;
		n->rate = 1 + (rng_unit(&s->rng) * 2 - 1) * cfg->drift_ppm / 1e6;
		n->offset_us = (1 + rng_below(&s->rng, 1000)) * SIM_SECOND;
		n->busy = rng_unit(&s->rng) * 2;
		n->profile = (struct load_profile){
			.cpus = cpus[rng_below(&s->rng, ARRAY_LEN(cpus))],
			.speed = (uint16_t)(800 + rng_below(&s->rng, 700)),
			.mem_16mib = (uint16_t)(256u << rng_below(&s->rng, 4)),
		};
		n->sample_us = calloc(SIM_SAMPLES, sizeof(*n->sample_us));
		assert(n->sample_us);
	}
	for (uint32_t i = 0; i < cfg->nodes; i++)
		sim_start(s, i);
}

void sim_done(struct sim *s)
{
	struct event e;

	while (queue_take(&s->queue, &e))
		free(e.packet);
	for (uint32_t i = 0; i < s->cfg.nodes; i++) {
		cluster_free(s->nodes[i].cluster);
		late_drop(&s->nodes[i]);
		free(s->nodes[i].sample_us);
	}
	free(s->nodes);
	queue_done(&s->queue);
}
