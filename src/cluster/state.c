/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * state.c - the states of a member and the moves between them
 *
 *	UNHEARD --> ALIVE <--> SUSPECT
 *	              \          /
 *	               v        v      a new incarnation
 *	             LEFT <-- DEAD  ----------------------> ALIVE
 *
 * REVOKED is reached from each of them and never left. A desktop may forget a member that core
 * members see otherwise: then it is UNHEARD again for the moment.
 */
#include "cluster/state.h"

#include <assert.h>

#define TO(s) (1u << CLUSTER_##s)

static const uint8_t moves[CLUSTER_N_STATES] = {
	[CLUSTER_UNHEARD] = TO(ALIVE) | TO(SUSPECT) | TO(DEAD) | TO(LEFT) | TO(REVOKED),
	[CLUSTER_ALIVE] = TO(SUSPECT) | TO(DEAD) | TO(LEFT) | TO(REVOKED),
	[CLUSTER_SUSPECT] = TO(ALIVE) | TO(DEAD) | TO(LEFT) | TO(REVOKED),
	[CLUSTER_DEAD] = TO(LEFT) | TO(REVOKED),
	[CLUSTER_LEFT] = TO(REVOKED),
	[CLUSTER_REVOKED] = 0,
};

/* what a new incarnation allows on top */
static const uint8_t raises[CLUSTER_N_STATES] = {
	[CLUSTER_ALIVE] = TO(ALIVE),
	[CLUSTER_SUSPECT] = TO(SUSPECT),
	[CLUSTER_DEAD] = TO(ALIVE) | TO(SUSPECT) | TO(DEAD),
	[CLUSTER_LEFT] = TO(ALIVE) | TO(SUSPECT) | TO(DEAD) | TO(LEFT),
};

/* an unheard one for a while only; dirty too when it is heard at last */
static const bool may_watch[CLUSTER_N_STATES] = {
	[CLUSTER_ALIVE] = true,
	[CLUSTER_SUSPECT] = true,
};

static const bool is_gone[CLUSTER_N_STATES] = {
	[CLUSTER_DEAD] = true,
	[CLUSTER_LEFT] = true,
};

static const char *const state_names[CLUSTER_N_STATES] = {
#define X(name, text) [CLUSTER_##name] = text,
	CLUSTER_STATES(X)
#undef X
};

static const char *const role_names[] = {
	[CLUSTER_DESKTOP] = "desktop",
	[CLUSTER_SERVER] = "server",
	[CLUSTER_HEAD] = "head",
};

const char *cluster_state_name(enum cluster_state s)
{
	return state_names[s];
}

const char *cluster_role_name(enum cluster_role r)
{
	return role_names[r];
}

/* enough for a rumour to reach everybody: three times the rounds that doubling would take */
static uint8_t rumor_packets(uint32_t n)
{
	uint8_t rounds = 2;

	while (n >>= 1)
		rounds++;
	return (uint8_t)(3 * rounds);
}

static uint8_t flaps_now(const struct member *m, uint64_t now_ms)
{
	uint64_t gone = now_ms > m->flap_at ? (now_ms - m->flap_at) / FLAP_DECAY_MS : 0;

	return gone < m->flaps ? (uint8_t)(m->flaps - gone) : 0;
}

bool state_flapping(const struct member *m, uint64_t now_ms)
{
	return flaps_now(m, now_ms) >= FLAPS_MANY;
}

static void note_flap(struct member *m, uint64_t now_ms)
{
	uint8_t flaps = flaps_now(m, now_ms);

	m->flaps = flaps < 2 * FLAPS_MANY ? flaps + 1 : flaps;
	m->flap_at = now_ms;
}

static void change(struct cluster *c, uint64_t now_ms, struct member *m, enum cluster_state to,
		   bool mine)
{
	struct cluster_change ch = {
		.id = m->id,
		.from = m->state,
		.to = to,
		.incarnation = m->incarnation,
		.mine = mine,
	};

	if (m->state != to)
		m->since = now_ms;
	if (ch.from == CLUSTER_ALIVE && (to == CLUSTER_SUSPECT || to == CLUSTER_DEAD))
		note_flap(m, now_ms);
	m->state = (uint8_t)to;
	m->rumor = rumor_packets(c->members.n);
	/* who may watch, and so everybody's watchers, changed */
	if (member_is_core(m) && may_watch[ch.from] != may_watch[to])
		c->dirty = true;
	if (cluster_is_core(c) && is_gone[ch.from] != is_gone[to] && c->n_news < NEWS_MAX)
		c->news[c->n_news++] = m->id;
	c->ops->changed(c->ctx, &ch);
}

void state_set(struct cluster *c, uint64_t now_ms, struct member *m, enum cluster_state to,
	       bool mine)
{
	assert(moves[m->state] & 1u << to);
	change(c, now_ms, m, to, mine);
}

void state_raise(struct cluster *c, uint64_t now_ms, struct member *m, uint32_t incarnation,
		 enum cluster_state to)
{
	assert(incarnation > m->incarnation);
	assert((moves[m->state] | raises[m->state]) & 1u << to);
	m->incarnation = incarnation;
	change(c, now_ms, m, to, false);
}

void state_forget(struct cluster *c, uint64_t now_ms, struct member *m)
{
	assert(m->state != CLUSTER_REVOKED);
	m->incarnation = m->seq = 0;
	change(c, now_ms, m, CLUSTER_UNHEARD, false);
}

void state_health_worse(struct cluster *c, uint32_t by)
{
	uint32_t h = c->stats.health + by;

	c->stats.health = h < HEALTH_MAX ? h : HEALTH_MAX;
}
