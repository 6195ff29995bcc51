/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cluster.c - what the outside calls; the work is done in merge, watch, doubt, spread and best
 *
 * Theory of operation
 *
 * Each call that carries the time first asks how long we were not called. The driver promises
 * a tick every TICK_MAX_MS, so a longer gap means that this node did not run: then nothing that
 * we failed to hear in it is held against others.
 */
#include "cluster/cluster.h"

#include <errno.h>

#include "cluster/doubt.h"
#include "cluster/merge.h"
#include "cluster/spread.h"
#include "cluster/watch.h"

#define HEALTH_MS   2000 /* one point better after each that went well */
#define STALL_WORSE 2
#define TALK_CREDIT 60	/* packets of a desktop at once */
#define TALK_MS	    100 /* and one more each */
#define FAREWELLS   5	/* core members besides our watchers that hear us leave */

static const struct tunable {
	const char *name;
	size_t offset;
	uint32_t dflt, least, most;
} tunables[] = {
#define X(field, dflt, least, most, help)                                                          \
	{ #field, offsetof(struct cluster_tune, field), dflt, least, most },
	CLUSTER_TUNABLES(X)
#undef X
};

void cluster_tune_default(struct cluster_tune *t)
{
	for (size_t i = 0; i < ARRAY_LEN(tunables); i++)
		memcpy((char *)t + tunables[i].offset, &tunables[i].dflt, sizeof(uint32_t));
}

static int check_config(const struct cluster_config *cfg, struct err *e)
{
	if (cfg->id == 0)
		return err_set(e, -EINVAL, "cluster: a node's id is not 0");
	if (!cfg->name || cfg->name[0] == '\0' || strlen(cfg->name) > CLUSTER_NAME_MAX)
		return err_set(e, -EINVAL, "cluster: a node's name has 1 to %d letters",
			       CLUSTER_NAME_MAX);
	if (cfg->incarnation > GOSSIP_INCARNATION_MAX)
		return err_set(e, -EINVAL, "cluster: incarnation %u is too high", cfg->incarnation);
	for (size_t i = 0; i < ARRAY_LEN(tunables); i++) {
		const struct tunable *t = &tunables[i];
		uint32_t v;

		memcpy(&v, (const char *)&cfg->tune + t->offset, sizeof(v));
		if (v < t->least || v > t->most)
			return err_set(e, -EINVAL, "cluster: %s is %u, allowed are %u to %u",
				       t->name, v, t->least, t->most);
	}
	return 0;
}

int cluster_new(const struct cluster_config *cfg, const struct cluster_ops *ops, void *ctx,
		uint64_t now_ms, struct cluster **ret, struct err *e)
{
	struct cluster *c;
	struct member *self;
	int r = check_config(cfg, e);

	if (r < 0)
		return r;
	c = calloc(1, sizeof(*c));
	if (!c)
		return err_set(e, -ENOMEM, "cluster: out of memory");
	c->cfg = *cfg;
	c->ops = ops;
	c->ctx = ctx;
	rng_init(&c->rng, cfg->seed);
	members_init(&c->members, cfg->tune.members_max);
	r = member_add(&c->members, cfg->id, &self);
	if (r == 0) {
		self->name = strdup(cfg->name);
		r = self->name ? 0 : -ENOMEM;
	}
	if (r < 0) {
		cluster_free(c);
		return err_set(e, r, "cluster: out of memory");
	}
	c->cfg.name = NULL; /* the caller's */
	self->role = (uint8_t)cfg->role;
	self->state = CLUSTER_ALIVE;
	self->incarnation = cfg->incarnation ? cfg->incarnation : 1;
	self->listed = self->direct = true;
	self->since = self->heard_at = self->load_at = now_ms;
	c->number = (uint32_t)rng_u64(&c->rng);
	c->last_ms = c->awake_since = c->health_at = now_ms;
	c->dirty = true;
	budget_init(&c->budget, cfg->tune.rate_bits, now_ms);
	/* nodes that start together need not speak together */
	c->gossip_at = now_ms + rng_below(&c->rng, cfg->tune.gossip_ms);
	c->retry_at = now_ms + rng_below(&c->rng, cfg->tune.retry_ms);
	*ret = c;
	return 0;
}

void cluster_free(struct cluster *c)
{
	if (!c)
		return;
	members_done(&c->members);
	free(c->core);
	free(c->watch);
	free(c->scratch);
	free(c->doubts);
	free(c);
}

/* Return: the time to go by; it does not go back */
static uint64_t note_time(struct cluster *c, uint64_t now_ms)
{
	if (now_ms <= c->last_ms)
		return c->last_ms;
	if (now_ms - c->last_ms > STALL_MS) {
		c->stats.stalls++;
		c->awake_since = now_ms;
		c->health_at = now_ms;
		state_health_worse(c, STALL_WORSE);
		doubt_woke(c, now_ms);
	}
	while (now_ms - c->health_at >= HEALTH_MS) {
		c->health_at += HEALTH_MS;
		if (c->stats.health > 0)
			c->stats.health--;
		else
			c->health_at = now_ms;
	}
	c->last_ms = now_ms;
	return now_ms;
}

/* ---- the directory ---- */

/* indexes into the members are worth nothing after a removal */
static void forget_lists(struct cluster *c)
{
	c->n_core = c->n_watch = c->n_best = 0;
	c->best_at = 0;
	c->dirty = true;
}

static int member_name(struct member *m, const char *name)
{
	char *copy;

	if (m->name && strcmp(m->name, name) == 0)
		return 0;
	copy = strdup(name);
	if (!copy)
		return -ENOMEM;
	free(m->name);
	m->name = copy;
	return 0;
}

int cluster_peer_added(struct cluster *c, uint64_t now_ms, const struct cluster_peer *p,
		       struct err *e)
{
	struct member *m;
	int r = 0;

	now_ms = note_time(c, now_ms);
	if (p->id == 0 || !p->name || p->name[0] == '\0' || strlen(p->name) > CLUSTER_NAME_MAX)
		return err_set(e, -EINVAL, "peer %u: wrong id, or a name not of 1 to %d letters",
			       p->id, CLUSTER_NAME_MAX);
	m = member_find(&c->members, p->id);
	if (m && m->state == CLUSTER_REVOKED)
		return err_set(e, -EKEYREVOKED, "peer %u '%s' is revoked: it needs a new id", p->id,
			       p->name);
	if (!m) {
		r = member_add(&c->members, p->id, &m);
		if (r == -ENOSPC)
			return err_set(e, r,
				       "peer %u '%s': there are %u members, and members_max is %u",
				       p->id, p->name, c->members.n, c->cfg.tune.members_max);
		if (r < 0)
			return err_set(e, r, "peer %u '%s': out of memory", p->id, p->name);
		m->since = m->watch_since = now_ms;
	}
	r = member_name(m, p->name);
	if (r < 0)
		return err_set(e, r, "peer %u '%s': out of memory", p->id, p->name);
	m->addr = p->addr;
	if (m == cluster_self(c))
		return 0; /* our role is in our certificate */
	/* the whole directory may be told again and again: who watches whom stays when nothing is
	 * new */
	if (m->listed && m->relayed == p->relayed && m->role == p->role)
		return 0;
	if (!m->listed || m->relayed != p->relayed)
		m->direct = !p->relayed;
	m->role = (uint8_t)p->role;
	m->relayed = p->relayed;
	m->listed = true;
	c->dirty = true;
	return 0;
}

void cluster_peer_removed(struct cluster *c, uint32_t id)
{
	struct member *m = member_find(&c->members, id);

	if (!m || m == cluster_self(c) || m->state == CLUSTER_REVOKED)
		return;
	doubt_drop(c, m);
	member_remove(&c->members, m);
	forget_lists(c);
}

int cluster_peer_revoked(struct cluster *c, uint64_t now_ms, uint32_t id)
{
	struct member *m = member_find(&c->members, id);
	int r;

	now_ms = note_time(c, now_ms);
	if (id == 0 || id == c->cfg.id)
		return -EINVAL;
	if (!m) {
		r = member_add(&c->members, id, &m);
		if (r < 0)
			return r;
	}
	if (m->state == CLUSTER_REVOKED)
		return 0;
	doubt_drop(c, m);
	state_set(c, now_ms, m, CLUSTER_REVOKED, false);
	m->rumor = 0; /* the signed list spreads it, not we */
	c->dirty = true;
	return 0;
}

void cluster_peer_link(struct cluster *c, uint64_t now_ms, uint32_t id, bool direct)
{
	struct member *m = member_find(&c->members, id);

	(void)note_time(c, now_ms);
	if (!m || m == cluster_self(c) || m->direct == direct)
		return;
	m->direct = direct;
	c->dirty = true;
}

/* ---- ourselves ---- */

void cluster_set_load(struct cluster *c, uint64_t now_ms, const struct load *l)
{
	struct member *self = cluster_self(c);

	now_ms = note_time(c, now_ms);
	self->load = *l;
	self->load_at = self->heard_at = now_ms;
	self->has_load = true;
	if (self->seq < GOSSIP_SEQ_MAX) {
		self->seq++;
	} else if (self->incarnation < GOSSIP_INCARNATION_MAX) {
		self->seq = 0;
		state_raise(c, now_ms, self, self->incarnation + 1, CLUSTER_ALIVE);
	}
}

void cluster_set_profile(struct cluster *c, uint64_t now_ms, const struct load_profile *p)
{
	struct member *self = cluster_self(c);

	(void)note_time(c, now_ms);
	self->profile = *p;
	self->has_profile = true;
	self->profile_news = UINT8_MAX;
}

void cluster_leave(struct cluster *c, uint64_t now_ms)
{
	struct member *self = cluster_self(c);

	now_ms = note_time(c, now_ms);
	if (self->state == CLUSTER_LEFT)
		return;
	state_set(c, now_ms, self, CLUSTER_LEFT, true);
	for (uint32_t i = 0; i < c->n_watchers; i++) {
		struct member *to = member_find(&c->members, c->watchers[i]);

		if (to)
			spread_control(c, now_ms, to, GOSSIP_WORD, 0, 0, NULL);
	}
	for (uint32_t i = 0; i < FAREWELLS && c->n_core > 0 && cluster_is_core(c); i++)
		spread_control(c, now_ms, &c->members.v[c->core[rng_below(&c->rng, c->n_core)]],
			       GOSSIP_WORD, 0, 0, NULL);
}

/* ---- what happens ---- */

static bool may_talk(struct member *m, uint64_t now_ms)
{
	uint64_t more = m->talk_at ? (now_ms - m->talk_at) / TALK_MS : TALK_CREDIT;

	if (m->talk_credit + more > TALK_CREDIT)
		more = TALK_CREDIT - m->talk_credit;
	m->talk_credit += (uint8_t)more;
	if (more > 0)
		m->talk_at = now_ms;
	if (m->talk_credit == 0)
		return false;
	m->talk_credit--;
	return true;
}

void cluster_receive(struct cluster *c, uint64_t now_ms, uint32_t from_id,
		     const struct gossip_msg *m)
{
	struct member *from = member_find(&c->members, from_id);

	now_ms = note_time(c, now_ms);
	if (!from || !from->listed) {
		if (from && from->state == CLUSTER_REVOKED)
			c->stats.dropped_revoked++;
		else
			c->stats.dropped_unlisted++;
		return;
	}
	if (from->state == CLUSTER_REVOKED) {
		c->stats.dropped_revoked++;
		return;
	}
	if (from == cluster_self(c))
		return;
	if (!member_is_core(from) && !may_talk(from, now_ms)) {
		c->stats.dropped_flood++;
		return;
	}
	c->stats.received_packets++;
	from->direct_at = from->heard_at = now_ms;
	merge_entries(c, now_ms, from, m);
	from = member_find(&c->members, from_id);
	doubt_heard(c, now_ms, from);
	if (cluster_self(c)->state == CLUSTER_LEFT)
		return;
	switch ((enum gossip_kind)m->kind) {
	case GOSSIP_WORD:
		return;
	case GOSSIP_PING:
		doubt_ping(c, now_ms, from, m);
		return;
	case GOSSIP_ACK:
		doubt_ack(c, now_ms, from, m);
		return;
	case GOSSIP_PING_REQ:
		doubt_ping_req(c, now_ms, from, m);
		return;
	case GOSSIP_NACK:
		doubt_nack(c, from, m);
		return;
	}
}

void cluster_tick(struct cluster *c, uint64_t now_ms)
{
	now_ms = note_time(c, now_ms);
	if (watch_survey(c, now_ms) < 0)
		return; /* no memory: the next tick tries again */
	doubt_due(c, now_ms);
	spread_due(c, now_ms);
}

uint64_t cluster_deadline(const struct cluster *c)
{
	uint64_t at = c->last_ms + TICK_MAX_MS;
	uint64_t doubt = doubt_deadline(c), spread = spread_deadline(c);

	/* who has left does nothing more */
	if (cluster_self(c)->state == CLUSTER_LEFT)
		return at;
	if (doubt < at)
		at = doubt;
	if (spread < at)
		at = spread;
	return at;
}

/* ---- views ---- */

uint32_t cluster_count(const struct cluster *c)
{
	return c->members.n;
}

static void view_of(const struct cluster *c, uint64_t now_ms, const struct member *m,
		    struct cluster_view *ret)
{
	*ret = (struct cluster_view){
		.id = m->id,
		.name = m->name ? m->name : "",
		.role = (enum cluster_role)m->role,
		.state = (enum cluster_state)m->state,
		.addr = m->addr,
		.incarnation = m->incarnation,
		.seq = m->seq,
		.listed = m->listed,
		.direct = m->direct,
		.self = m == cluster_self(c),
		.has_load = m->has_load,
		.has_profile = m->has_profile,
		.flapping = state_flapping(m, now_ms),
		.load_age_ms = m->has_load && now_ms > m->load_at ? now_ms - m->load_at : 0,
		.since_ms = m->since,
		.load = m->load,
		.profile = m->profile,
	};
}

void cluster_view_at(const struct cluster *c, uint64_t now_ms, uint32_t i, struct cluster_view *ret)
{
	view_of(c, now_ms, &c->members.v[i], ret);
}

int cluster_view_id(const struct cluster *c, uint64_t now_ms, uint32_t id, struct cluster_view *ret)
{
	const struct member *m = member_find(&c->members, id);

	if (!m)
		return -ENOENT;
	view_of(c, now_ms, m, ret);
	return 0;
}

void cluster_stats(const struct cluster *c, struct cluster_stats *ret)
{
	*ret = c->stats;
	ret->memory_bytes = sizeof(*c) + members_memory(&c->members) +
			    3 * c->cap_lists * sizeof(uint32_t) +
			    c->cap_doubts * sizeof(struct doubt);
}
