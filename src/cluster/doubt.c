/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * doubt.c - silent members: asked, suspected, declared dead
 *
 * Theory of operation
 *
 * Only core members doubt, and only those members that they watch. A doubt goes
 *
 *	PING		its report is overdue: ping it;
 *	INDIRECT	no answer: ping again, and ask two other watchers to ping it for us;
 *	SUSPECT		nobody got an answer: tell the member itself, its other watchers and then
 *			all; go on pinging and telling once a second;
 *	dead		silence lasted dead_ms and another core member found the same by itself,
 *			or there is none that could. A core member that stays alone with its
 *			accusation waits dead_alone_ms: then it is more likely cut off itself.
 *
 * Any sign of life that is newer than the limit ends the doubt at every step. With the default
 * times a node that stops is suspected within 1.75 s and dead within 8.5 s; one that stalls for
 * 5 s has 3 s left to say so.
 *
 * How much we trust our own ears is c->stats.health (Dadgar, Phillips, Currey, "Lifeguard",
 * 2017): it gets worse when we wake up late or when helpers do not even say "no", and stretches
 * the limits. After a stall all silence is counted anew.
 *
 * A desktop doubts nobody. It only looks whether its watchers answer at all, and reports to
 * others while they do not ("deaf").
 */
#include "cluster/doubt.h"

#include "cluster/spread.h"
#include "cluster/watch.h"

#define SCAN_MS	       100
#define HELPERS	       2
#define AGAIN_MS       1000 /* between two pings of a suspect */
#define HEALTH_DEAD_MS 500  /* each point of bad health lets a suspect live this much longer */
#define WITNESS_MS     500  /* of silence, before another's accusation makes us ask too */
#define DEAF_MS	       30000
#define DEAF_SPREAD_MS 30000 /* desktops that started together need not ask together */
#define DEAF_PINGS     3
#define DEAF_AGAIN_MS  5000
#define RETRIES_MAX    8
#define RETRY_SHARE    16 /* one more try at a time for each so many absent members */

static void ask(struct cluster *c, uint64_t now_ms, struct member *m, struct doubt *d)
{
	bool sent;

	d->number = ++c->number;
	sent = spread_control(c, now_ms, m, GOSSIP_PING, d->number, 0, NULL);
	d->sent = d->sent || sent;
	d->held = d->held || (!sent && m->direct);
}

static struct doubt *doubt_open(struct cluster *c, uint64_t now_ms, struct member *m)
{
	struct doubt *d;

	if (c->n_doubts == c->cap_doubts) {
		uint32_t cap = c->cap_doubts ? c->cap_doubts * 2 : 8;

		d = realloc(c->doubts, cap * sizeof(*d));
		if (!d)
			return NULL; /* the next scan tries again */
		c->doubts = d;
		c->cap_doubts = cap;
	}
	d = &c->doubts[c->n_doubts++];
	*d = (struct doubt){ .id = m->id, .stage = DOUBT_PING, .due = now_ms };
	m->doubt = c->n_doubts;
	c->stats.probes++;
	/* who cannot be pinged is asked for at once */
	if (m->direct) {
		ask(c, now_ms, m, d);
		d->due += c->cfg.tune.ping_ms;
	}
	return d;
}

void doubt_drop(struct cluster *c, struct member *m)
{
	uint32_t last = c->n_doubts - 1;
	struct doubt *d;

	if (!m->doubt)
		return;
	d = &c->doubts[m->doubt - 1];
	if (m->doubt - 1 != last) {
		*d = c->doubts[last];
		member_find(&c->members, d->id)->doubt = m->doubt;
	}
	c->n_doubts--;
	m->doubt = 0;
}

void doubt_heard(struct cluster *c, uint64_t now_ms, struct member *m)
{
	if (m->deaf) {
		m->deaf = false;
		c->dirty = true;
	}
	if (m->doubt && watch_silence_ms(c, now_ms, m) < watch_limit_ms(c, m))
		doubt_drop(c, m);
}

bool doubt_holds(const struct cluster *c, uint64_t now_ms, const struct member *m)
{
	return m->doubt && c->doubts[m->doubt - 1].stage == DOUBT_SUSPECT &&
	       watch_silence_ms(c, now_ms, m) >= watch_limit_ms(c, m);
}

void doubt_woke(struct cluster *c, uint64_t now_ms)
{
	for (uint32_t i = c->n_doubts; i-- > 0;) {
		struct doubt *d = &c->doubts[i];

		if (d->stage == DOUBT_SUSPECT)
			d->due = now_ms + AGAIN_MS;
		else
			doubt_drop(c, member_find(&c->members, d->id));
	}
}

/* ---- a doubt's steps ---- */

static void tell_watchers(struct cluster *c, uint64_t now_ms, struct member *m)
{
	uint32_t ids[WATCHERS_MAX];
	uint32_t n = watch_top(c, m->id, ids, c->cfg.tune.watchers);

	spread_control(c, now_ms, m, GOSSIP_WORD, 0, 0, m);
	for (uint32_t i = 0; i < n; i++) {
		struct member *to = member_find(&c->members, ids[i]);

		if (to != cluster_self(c))
			spread_control(c, now_ms, to, GOSSIP_WORD, 0, 0, m);
	}
}

static void ask_helpers(struct cluster *c, uint64_t now_ms, struct member *m, struct doubt *d)
{
	uint32_t ids[WATCHERS_MAX];
	uint32_t n = watch_top(c, m->id, ids, WATCHERS_MAX);

	for (uint32_t i = 0; i < n && d->asked < HELPERS; i++) {
		struct member *to = member_find(&c->members, ids[i]);

		if (to == cluster_self(c) || to->state != CLUSTER_ALIVE || !to->direct)
			continue;
		if (spread_control(c, now_ms, to, GOSSIP_PING_REQ, d->number, m->id, NULL))
			d->asked++;
		else
			d->held = true;
	}
}

/* another core member that could confirm */
static bool others_could(const struct cluster *c, const struct member *m)
{
	for (uint32_t i = 0; i < c->n_core; i++) {
		const struct member *o = &c->members.v[c->core[i]];

		if (o != m && o->state == CLUSTER_ALIVE)
			return true;
	}
	return false;
}

static uint64_t dead_after_ms(const struct cluster *c, const struct member *m,
			      const struct doubt *d)
{
	bool confirmed = d->n_witnesses > 0 || !others_could(c, m);

	return (confirmed ? c->cfg.tune.dead_ms : c->cfg.tune.dead_alone_ms) +
	       c->stats.health * HEALTH_DEAD_MS;
}

static void accuse(struct cluster *c, uint64_t now_ms, struct member *m, struct doubt *d)
{
	uint64_t silence = watch_silence_ms(c, now_ms, m);
	uint64_t dead_after = dead_after_ms(c, m, d);

	if (silence >= dead_after) {
		c->stats.declared++;
		doubt_drop(c, m);
		state_set(c, now_ms, m, CLUSTER_DEAD, true);
		tell_watchers(c, now_ms, m);
		return;
	}
	if (d->stage != DOUBT_SUSPECT)
		c->stats.suspected++;
	d->stage = DOUBT_SUSPECT;
	d->due = now_ms + AGAIN_MS;
	if (dead_after - silence < AGAIN_MS)
		d->due = now_ms + (dead_after - silence);
	if (m->state == CLUSTER_ALIVE)
		state_set(c, now_ms, m, CLUSTER_SUSPECT, true);
	ask(c, now_ms, m, d);
	tell_watchers(c, now_ms, m);
}

static void step(struct cluster *c, uint64_t now_ms, struct member *m, struct doubt *d)
{
	switch (d->stage) {
	case DOUBT_PING:
		d->stage = DOUBT_INDIRECT;
		d->due = now_ms + c->cfg.tune.indirect_ms;
		ask(c, now_ms, m, d);
		ask_helpers(c, now_ms, m, d);
		return;
	case DOUBT_INDIRECT:
		/* whom we could not ask for want of bandwidth we cannot accuse */
		if (d->held && !d->sent && d->asked == 0) {
			d->held = false;
			d->stage = DOUBT_PING;
			d->due = now_ms + c->cfg.tune.ping_ms;
			return;
		}
		/* helpers that do not even say no: is it us? */
		if (d->asked > 0 && d->answered == 0)
			state_health_worse(c, 1);
		accuse(c, now_ms, m, d);
		return;
	case DOUBT_SUSPECT:
		accuse(c, now_ms, m, d);
		return;
	}
}

/* ---- looking for the silent ---- */

static void scan(struct cluster *c, uint64_t now_ms)
{
	for (uint32_t i = 0; i < c->n_watch; i++) {
		struct member *m = &c->members.v[c->watch[i]];

		if (member_is_up(m) && !m->doubt &&
		    watch_silence_ms(c, now_ms, m) >= watch_limit_ms(c, m))
			(void)doubt_open(c, now_ms, m); /* no memory: the next scan */
	}
}

/* a desktop's watchers: do they answer? */
static void scan_deaf(struct cluster *c, uint64_t now_ms)
{
	uint64_t patience = DEAF_MS + c->cfg.id * 2654435761ULL % DEAF_SPREAD_MS;

	for (uint32_t i = 0; i < c->n_watchers; i++) {
		struct member *m = member_find(&c->members, c->watchers[i]);
		uint64_t since;

		if (!m || m->deaf)
			continue;
		since = m->direct_at > m->watch_since ? m->direct_at : m->watch_since;
		if (since < c->awake_since)
			since = c->awake_since;
		if (now_ms < since + patience)
			continue;
		if (now_ms >= since + patience + DEAF_PINGS * DEAF_AGAIN_MS) {
			m->deaf = true;
			c->dirty = true;
		} else if (now_ms >= m->notice_at + DEAF_AGAIN_MS) {
			m->notice_at = now_ms;
			spread_control(c, now_ms, m, GOSSIP_PING, ++c->number, 0, NULL);
		}
	}
}

static bool worth_a_try(const struct cluster *c, const struct member *m)
{
	bool absent = m->state == CLUSTER_DEAD || m->state == CLUSTER_LEFT ||
		      m->state == CLUSTER_UNHEARD;

	return absent && m->direct && m->listed && (cluster_is_core(c) || member_is_core(m));
}

/*
 * The dead are not given up: after a partition nobody else would speak first. A desktop does so
 * only when it has too few watchers left.
 */
static void retry(struct cluster *c, uint64_t now_ms)
{
	uint32_t picks[RETRIES_MAX], seen = 0, kept, n;

	if (!cluster_is_core(c) && c->n_watchers >= c->cfg.tune.watchers)
		return;
	/* a fair choice in one pass (Vitter, "Random sampling with a reservoir", 1985) */
	for (uint32_t i = 1; i < c->members.n; i++) {
		uint32_t at = seen;

		if (!worth_a_try(c, &c->members.v[i]))
			continue;
		seen++;
		if (at >= RETRIES_MAX)
			at = rng_below(&c->rng, seen);
		if (at < RETRIES_MAX)
			picks[at] = i;
	}
	kept = seen < RETRIES_MAX ? seen : RETRIES_MAX;
	n = 1 + seen / RETRY_SHARE;
	if (n > kept)
		n = kept;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t j = i + rng_below(&c->rng, kept - i), at = picks[j];

		picks[j] = picks[i];
		spread_control(c, now_ms, &c->members.v[at], GOSSIP_PING, ++c->number, 0, NULL);
	}
}

/* ---- errands ---- */

static void answer_errand(struct cluster *c, uint64_t now_ms, struct errand *er,
			  enum gossip_kind kind)
{
	struct member *to = member_find(&c->members, er->asker);

	if (to)
		spread_control(c, now_ms, to, kind, er->asker_number, er->subject,
			       member_find(&c->members, er->subject));
	er->asker = 0;
}

static void errands_due(struct cluster *c, uint64_t now_ms)
{
	for (uint32_t i = 0; i < ERRANDS_MAX; i++) {
		struct errand *er = &c->errands[i];

		if (er->asker && now_ms >= er->due)
			answer_errand(c, now_ms, er, GOSSIP_NACK);
	}
}

/* ---- called from outside ---- */

void doubt_due(struct cluster *c, uint64_t now_ms)
{
	bool core = cluster_is_core(c);

	if (cluster_self(c)->state == CLUSTER_LEFT)
		return;
	if (now_ms >= c->scan_at) {
		c->scan_at = now_ms + (core ? SCAN_MS : AGAIN_MS);
		if (core)
			scan(c, now_ms);
		else
			scan_deaf(c, now_ms);
	}
	/* backwards: a step may drop its doubt, then the last one takes its place */
	for (uint32_t i = c->n_doubts; i-- > 0;) {
		struct doubt *d = &c->doubts[i];
		struct member *m = member_find(&c->members, d->id);

		if (now_ms < d->due)
			continue;
		if (member_is_up(m))
			step(c, now_ms, m, d);
		else
			doubt_drop(c, m);
	}
	errands_due(c, now_ms);
	if (now_ms >= c->retry_at) {
		c->retry_at = now_ms + c->cfg.tune.retry_ms;
		retry(c, now_ms);
	}
}

uint64_t doubt_deadline(const struct cluster *c)
{
	uint64_t at = c->scan_at < c->retry_at ? c->scan_at : c->retry_at;

	for (uint32_t i = 0; i < c->n_doubts; i++)
		if (c->doubts[i].due < at)
			at = c->doubts[i].due;
	for (uint32_t i = 0; i < ERRANDS_MAX; i++)
		if (c->errands[i].asker && c->errands[i].due < at)
			at = c->errands[i].due;
	return at;
}

void doubt_witness(struct cluster *c, uint64_t now_ms, struct member *m, uint32_t from)
{
	struct doubt *d;

	if (!cluster_is_core(c) || !m->watched || !member_is_up(m))
		return;
	if (!m->doubt && watch_silence_ms(c, now_ms, m) >= WITNESS_MS)
		(void)doubt_open(c, now_ms, m); /* no memory: the accusation is repeated */
	if (!m->doubt)
		return;
	d = &c->doubts[m->doubt - 1];
	for (uint32_t i = 0; i < d->n_witnesses; i++)
		if (d->witnesses[i] == from)
			return;
	if (d->n_witnesses < WITNESSES_MAX)
		d->witnesses[d->n_witnesses++] = from;
}

void doubt_ping(struct cluster *c, uint64_t now_ms, struct member *from, const struct gossip_msg *m)
{
	spread_control(c, now_ms, from, GOSSIP_ACK, m->number, 0, NULL);
}

void doubt_ack(struct cluster *c, uint64_t now_ms, struct member *from, const struct gossip_msg *m)
{
	struct member *subject = m->subject ? member_find(&c->members, m->subject) : from;

	for (uint32_t i = 0; i < ERRANDS_MAX; i++) {
		struct errand *er = &c->errands[i];

		if (er->asker && er->subject == from->id && er->number == m->number)
			answer_errand(c, now_ms, er, GOSSIP_ACK);
	}
	/* only what we asked for */
	if (!subject || !subject->doubt || c->doubts[subject->doubt - 1].number != m->number)
		return;
	if (c->stats.health > 0)
		c->stats.health--;
	if (subject != from && member_is_core(from)) {
		c->doubts[subject->doubt - 1].answered++;
		if (subject->heard_at < now_ms)
			subject->heard_at = now_ms;
	}
	doubt_heard(c, now_ms, subject);
}

void doubt_ping_req(struct cluster *c, uint64_t now_ms, struct member *from,
		    const struct gossip_msg *m)
{
	struct member *subject = member_find(&c->members, m->subject);
	struct errand *er = NULL;

	if (!cluster_is_core(c) || !member_is_core(from))
		return;
	for (uint32_t i = 0; i < ERRANDS_MAX && !er; i++)
		if (!c->errands[i].asker)
			er = &c->errands[i];
	if (!subject || subject == cluster_self(c) || !subject->direct || !er) {
		spread_control(c, now_ms, from, GOSSIP_NACK, m->number, m->subject, NULL);
		return;
	}
	*er = (struct errand){
		.asker = from->id,
		.asker_number = m->number,
		.subject = m->subject,
		.number = ++c->number,
		.due = now_ms + c->cfg.tune.ping_ms * 3 / 2,
	};
	spread_control(c, now_ms, subject, GOSSIP_PING, er->number, 0, NULL);
}

void doubt_nack(struct cluster *c, struct member *from, const struct gossip_msg *m)
{
	struct member *subject = member_find(&c->members, m->subject);

	if (member_is_core(from) && subject && subject->doubt &&
	    c->doubts[subject->doubt - 1].number == m->number)
		c->doubts[subject->doubt - 1].answered++;
}
