/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * merge.c - what others say becomes what we know
 *
 * Theory of operation
 *
 * Who may say what: a desktop speaks of itself, and only that it is there or leaves. A core
 * member speaks of all. What else is said is dropped and counted.
 *
 * What wins: of two words about a member
 *
 *	the higher incarnation, which only the subject itself gives out;
 *	in one incarnation, "dead" and "left" before the others, to the end of that incarnation;
 *	else the higher sequence number; with equal ones "suspect" before "alive".
 *
 * So a newer sample refutes a suspicion, and a member that was declared dead must learn that and
 * take a new incarnation before it counts as there: who was buried has to know it, because others
 * may have acted on it.
 *
 * One case bends the rule. After a partition each half hears from the other that all its own
 * members are dead. Who has fresher and recent word of a member does not believe in its death,
 * but tells the member what is said; its next incarnation settles it for all. So the halves grow
 * together without burying each other first.
 */
#include "cluster/merge.h"

#include <errno.h>

#include "cluster/doubt.h"
#include "cluster/spread.h"
#include "cluster/watch.h"

#define CONTEST_MS	 5000 /* word this recent is stronger than a death sentence before it */
#define SUSPECT_SLACK_MS 1000 /* a suspicion is about the second before we heard of it */
#define RAISE_CREDIT	 4    /* incarnations that a desktop may take at once */
#define RAISE_MS	 5000 /* and one more each */
#define NOTIFIERS	 3    /* core members that should tell a subject the same */
#define UNLISTED_MS	 1000
#define OUTDATED_MS	 20000 /* a desktop holds on for so long to what core says no more */
#define PROFILE_NEWS	 8     /* packets in which a new profile goes along */

static enum cluster_state state_of(const struct gossip_entry *e)
{
	static const enum cluster_state states[GOSSIP_STATES] = {
		[GOSSIP_ALIVE] = CLUSTER_ALIVE,
		[GOSSIP_SUSPECT] = CLUSTER_SUSPECT,
		[GOSSIP_DEAD] = CLUSTER_DEAD,
		[GOSSIP_LEFT] = CLUSTER_LEFT,
	};

	return states[e->state];
}

static bool is_gone(enum cluster_state s)
{
	return s == CLUSTER_DEAD || s == CLUSTER_LEFT;
}

/* ---- about ourselves ---- */

static void raise_self(struct cluster *c, uint64_t now_ms, struct member *from,
		       uint32_t incarnation)
{
	/* at the end of all incarnations we stay what they think: a new certificate has a new id */
	if (incarnation >= GOSSIP_INCARNATION_MAX)
		return;
	c->stats.refuted++;
	state_raise(c, now_ms, cluster_self(c), incarnation + 1, CLUSTER_ALIVE);
	spread_control(c, now_ms, from, GOSSIP_WORD, 0, 0, NULL);
}

static void about_self(struct cluster *c, uint64_t now_ms, struct member *from,
		       const struct gossip_entry *e)
{
	struct member *self = cluster_self(c);

	if (self->state == CLUSTER_LEFT || e->incarnation < self->incarnation)
		return;
	/* they remember an earlier life of ours, or think us gone */
	if (e->incarnation > self->incarnation || e->seq > self->seq || is_gone(state_of(e))) {
		raise_self(c, now_ms, from, e->incarnation);
		return;
	}
	if (e->state != GOSSIP_SUSPECT)
		return;
	if (e->seq == self->seq && self->seq < GOSSIP_SEQ_MAX) {
		self->seq++;
		c->stats.refuted++;
	}
	spread_control(c, now_ms, from, GOSSIP_WORD, 0, 0, NULL);
}

/* ---- about others ---- */

static void take_profile(struct member *m, const struct gossip_entry *e)
{
	if (!e->has_profile)
		return;
	if (!m->has_profile || memcmp(&m->profile, &e->profile, sizeof(m->profile)) != 0)
		m->profile_news = PROFILE_NEWS;
	m->profile = e->profile;
	m->has_profile = true;
}

static void take_word(struct cluster *c, uint64_t now_ms, struct member *m,
		      const struct gossip_entry *e)
{
	uint64_t at = now_ms > e->age_ms ? now_ms - e->age_ms : 0;

	m->seq = e->seq;
	m->load = e->load;
	m->load_at = at;
	m->has_load = true;
	take_profile(m, e);
	if (at > m->heard_at)
		m->heard_at = at;
}

/* a desktop that takes one incarnation after the other would keep all busy */
static bool may_raise(struct member *m, uint64_t now_ms)
{
	uint64_t more = m->raise_at ? (now_ms - m->raise_at) / RAISE_MS : RAISE_CREDIT;

	if (m->raise_credit + more > RAISE_CREDIT)
		more = RAISE_CREDIT - m->raise_credit;
	m->raise_credit += (uint8_t)more;
	if (more > 0)
		m->raise_at = now_ms;
	if (m->raise_credit == 0)
		return false;
	m->raise_credit--;
	return true;
}

static void new_incarnation(struct cluster *c, uint64_t now_ms, struct member *m,
			    const struct gossip_entry *e, bool own)
{
	enum cluster_state to = state_of(e);

	if (own && !member_is_core(m) && m->incarnation > 0 && !may_raise(m, now_ms)) {
		c->stats.dropped_flap++;
		return;
	}
	doubt_drop(c, m);
	take_word(c, now_ms, m, e);
	state_raise(c, now_ms, m, e->incarnation, to);
}

static void tell_subject(struct cluster *c, uint64_t now_ms, struct member *m, bool own,
			 const struct gossip_entry *said)
{
	/* of all who notice the contradiction a few speak */
	if (!cluster_is_core(c))
		return;
	if (own || rng_below(&c->rng, c->n_core + 1) < NOTIFIERS)
		spread_notice(c, now_ms, m, said);
}

/* same incarnation, m is dead or has left */
static void about_gone(struct cluster *c, uint64_t now_ms, struct member *m,
		       const struct gossip_entry *e, bool own)
{
	if (e->state == GOSSIP_LEFT && m->state == CLUSTER_DEAD)
		state_set(c, now_ms, m, CLUSTER_LEFT, false);
	else if (!is_gone(state_of(e)) && (own || e->seq > m->seq))
		tell_subject(c, now_ms, m, own, NULL);
}

/* same incarnation, m is up, they say it is gone */
static void about_death(struct cluster *c, uint64_t now_ms, struct member *m,
			const struct gossip_entry *e)
{
	if (e->state == GOSSIP_DEAD && m->seq > e->seq &&
	    watch_silence_ms(c, now_ms, m) < CONTEST_MS) {
		tell_subject(c, now_ms, m, false, e);
		return;
	}
	if (e->seq > m->seq)
		take_word(c, now_ms, m, e);
	doubt_drop(c, m);
	state_set(c, now_ms, m, state_of(e), false);
}

/* same incarnation, m is up and they think so too */
static void about_living(struct cluster *c, uint64_t now_ms, struct member *m,
			 const struct gossip_entry *e, uint32_t from)
{
	bool newer = e->seq > m->seq;

	if (newer)
		take_word(c, now_ms, m, e);
	else if (e->seq == m->seq)
		take_profile(m, e);
	if (newer && m->state == CLUSTER_SUSPECT && e->state == GOSSIP_ALIVE &&
	    (m->id == from || m->load_at + SUSPECT_SLACK_MS > m->since) &&
	    !doubt_holds(c, now_ms, m))
		state_set(c, now_ms, m, CLUSTER_ALIVE, false);
	if (newer)
		doubt_heard(c, now_ms, m);
	if (e->state == GOSSIP_SUSPECT && e->seq >= m->seq) {
		if (m->state == CLUSTER_ALIVE)
			state_set(c, now_ms, m, CLUSTER_SUSPECT, false);
		if (e->witness)
			doubt_witness(c, now_ms, m, from);
	}
}

/*
 * When all core members have started anew, a desktop may be the only one that remembers an earlier
 * life, and nobody would listen to it. So what it holds and has not heard again for a while gives
 * way to what core members say now.
 */
static bool outdated(const struct cluster *c, uint64_t now_ms, const struct member *m,
		     const struct gossip_entry *e)
{
	bool gone = is_gone(m->state);
	bool behind = e->incarnation < m->incarnation ||
		      (e->incarnation == m->incarnation && (gone || e->seq < m->seq));

	return !cluster_is_core(c) && behind && e->state == GOSSIP_ALIVE &&
	       e->age_ms < CONTEST_MS && now_ms > (gone ? m->since : m->load_at) + OUTDATED_MS;
}

static void merge(struct cluster *c, uint64_t now_ms, struct member *m,
		  const struct gossip_entry *e, uint32_t from)
{
	bool own = m->id == from;

	if (m->state == CLUSTER_REVOKED)
		return;
	if (outdated(c, now_ms, m, e))
		state_forget(c, now_ms, m);
	if (e->incarnation > m->incarnation) {
		new_incarnation(c, now_ms, m, e, own);
		return;
	}
	if (e->incarnation < m->incarnation || (own && e->seq < m->seq)) {
		/* it has started anew and does not know of its earlier life; or a late packet */
		if (own)
			tell_subject(c, now_ms, m, true, NULL);
		return;
	}
	if (is_gone(m->state))
		about_gone(c, now_ms, m, e, own);
	else if (is_gone(state_of(e)))
		about_death(c, now_ms, m, e);
	else
		about_living(c, now_ms, m, e, from);
}

/* a core member speaks of an id that we have no directory entry for */
static struct member *unlisted_member(struct cluster *c, uint64_t now_ms, uint32_t id)
{
	struct member *m;

	if (c->ops->unlisted && now_ms >= c->unlisted_at) {
		c->unlisted_at = now_ms + UNLISTED_MS;
		c->ops->unlisted(c->ctx, id);
	}
	if (member_add(&c->members, id, &m) < 0)
		return NULL; /* at the limit it is left out */
	m->role = CLUSTER_DESKTOP;
	m->since = m->watch_since = now_ms;
	return m;
}

void merge_entries(struct cluster *c, uint64_t now_ms, struct member *from,
		   const struct gossip_msg *msg)
{
	uint32_t from_id = from->id;
	bool core = member_is_core(from);

	if (core && msg->desktops > 0)
		c->told_desktops = msg->desktops;
	for (uint32_t i = 0; i < msg->n_entries; i++) {
		const struct gossip_entry *e = &msg->entries[i];
		bool own = e->id == from_id;
		struct member *m;

		if (own ? e->state != GOSSIP_ALIVE && e->state != GOSSIP_LEFT : !core) {
			c->stats.dropped_foreign++;
			continue;
		}
		m = member_find(&c->members, e->id);
		if (!m)
			m = unlisted_member(c, now_ms, e->id);
		if (!m)
			continue;
		if (m == cluster_self(c))
			about_self(c, now_ms, member_find(&c->members, from_id), e);
		else
			merge(c, now_ms, m, e, from_id);
	}
}
