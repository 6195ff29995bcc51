/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * watch.c - who watches whom
 *
 * Theory of operation
 *
 * Each node reports to a few core members, its watchers, and they are the ones that notice when
 * it falls silent. Both sides find out by themselves who they are: each pair of ids has a number
 * (rendezvous hashing), and the watchers of a node are the core members with the highest numbers
 * that are thought to be there. When one dies the next takes its place and nobody else's
 * watchers change. Where two nodes' views differ for a moment, a watcher that gets no reports
 * asks by ping, and a report that nobody waits for does no harm.
 *
 * A relayed node can be reached only by those it is connected to: they watch it whatever their
 * rank is, the others listen for relayed words and give it more time.
 *
 * Silence is counted from the last sign of life, but not from before we began to watch and not
 * from before we woke up from a stall: what was sent while we slept may be lost.
 */
#include "cluster/watch.h"

#include <errno.h>

#define SURVEY_MS	  30000 /* for what changes by time alone */
#define INDIRECT_LIMIT_MS 5000	/* silence of a watched member that cannot report to us */
#define UNLISTED_KEEP_MS  60000
#define REPORTED_MS	  10000 /* a direct word this recent: it reports to us */
#define HEALTH_STEP_MS	  150	/* each point of bad health makes us wait this much longer */

static uint64_t pair_number(uint32_t subject, uint32_t watcher)
{
	uint64_t z = ((uint64_t)subject << 32 | watcher) + 0x9e3779b97f4a7c15ULL;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

static bool may_watch(const struct cluster *c, uint64_t now_ms, const struct member *m)
{
	if (!member_is_core(m))
		return false;
	switch ((enum cluster_state)m->state) {
	case CLUSTER_ALIVE:
	case CLUSTER_SUSPECT:
		return true;
	case CLUSTER_UNHEARD:
		/* a desktop hears of core members slowly, and finds out who is deaf by itself */
		return !cluster_is_core(c) || now_ms - m->since < UNHEARD_MS;
	case CLUSTER_DEAD:
	case CLUSTER_LEFT:
	case CLUSTER_REVOKED:
		return false;
	}
	return false;
}

uint32_t watch_top(const struct cluster *c, uint32_t id, uint32_t *ret_ids, uint32_t max)
{
	uint64_t numbers[WATCHERS_MAX];
	uint32_t n = 0;

	if (max > WATCHERS_MAX)
		max = WATCHERS_MAX;
	for (uint32_t i = 0; i <= c->n_core; i++) {
		uint32_t at = i < c->n_core ? c->core[i] : 0; /* ourselves last */
		const struct member *m = &c->members.v[at];
		uint64_t number = pair_number(id, m->id);
		uint32_t place = n;

		if (m->id == id || !member_is_core(m))
			continue;
		while (place > 0 && numbers[place - 1] < number)
			place--;
		if (place >= max)
			continue;
		if (n < max)
			n++;
		for (uint32_t j = n - 1; j > place; j--) {
			numbers[j] = numbers[j - 1];
			ret_ids[j] = ret_ids[j - 1];
		}
		numbers[place] = number;
		ret_ids[place] = m->id;
	}
	return n;
}

/* our place among those who may watch m is below the number of watchers */
static bool we_rank(const struct cluster *c, const struct member *m)
{
	uint64_t ours = pair_number(m->id, c->cfg.id);
	uint32_t before = 0;

	for (uint32_t i = 0; i < c->n_core && before < c->cfg.tune.watchers; i++) {
		uint32_t id = c->members.v[c->core[i]].id;

		before += id != m->id && pair_number(m->id, id) > ours;
	}
	return before < c->cfg.tune.watchers;
}

/* a relayed node that is, or was until just now, connected to us */
static bool reports_by_relay(const struct cluster *c, const struct member *m)
{
	return m->relayed &&
	       (m->direct || (m->direct_at > 0 && c->last_ms - m->direct_at <= REPORTED_MS));
}

static void find_own_watchers(struct cluster *c, uint64_t now_ms)
{
	uint32_t ids[WATCHERS_MAX];
	uint32_t n = watch_top(c, c->cfg.id, ids, WATCHERS_MAX), kept = 0;

	/* those that answer first; the deaf ones only when there are no others */
	for (int deaf = 0; deaf < 2; deaf++) {
		for (uint32_t i = 0; i < n && kept < c->cfg.tune.watchers; i++) {
			const struct member *m = member_find(&c->members, ids[i]);

			if (m->direct && m->deaf == (bool)deaf)
				c->watchers[kept++] = ids[i];
		}
		if (kept > 0)
			break;
	}
	c->n_watchers = kept;
	if (cluster_is_core(c))
		return;
	/* a desktop looks whether they answer */
	for (uint32_t i = 0; i < c->n_core; i++) {
		struct member *m = &c->members.v[c->core[i]];
		bool ours = false;

		for (uint32_t j = 0; j < kept; j++)
			ours = ours || c->watchers[j] == m->id;
		if (ours && !m->watched)
			m->watch_since = now_ms;
		m->watched = ours;
	}
}

static int lists_grow(struct cluster *c)
{
	uint32_t cap = c->members.cap;
	uint32_t **lists[] = { &c->core, &c->watch, &c->scratch };

	if (c->cap_lists >= c->members.n)
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		uint32_t *p = realloc(*lists[i], cap * sizeof(*p));

		if (!p)
			return -ENOMEM;
		*lists[i] = p;
	}
	c->cap_lists = cap;
	return 0;
}

/*
 * Of what is known by hearsay only, a table that fills up keeps what it still hears of. A desktop
 * of a large cluster lives with that all the time.
 */
static void forget_unlisted(struct cluster *c, uint64_t now_ms)
{
	if (c->members.n <= c->members.max - c->members.max / 4)
		return;
	for (uint32_t i = c->members.n - 1; i > 0; i--) {
		struct member *m = &c->members.v[i];

		if (!m->listed && m->state != CLUSTER_REVOKED &&
		    now_ms > m->load_at + UNLISTED_KEEP_MS) {
			member_remove(&c->members, m);
			/* its indexes are worth nothing now */
			c->n_best = 0;
			c->best_at = 0;
		}
	}
}

int watch_survey(struct cluster *c, uint64_t now_ms)
{
	bool core = cluster_is_core(c);
	/* unlisted members change nothing else, but they need room in the lists */
	int r = lists_grow(c);

	if (r < 0)
		return r;
	if (!c->dirty && now_ms < c->survey_at)
		return 0;
	forget_unlisted(c, now_ms);
	c->dirty = false;
	c->survey_at = now_ms + SURVEY_MS;
	c->n_core = c->n_watch = c->n_desktops = 0;
	for (uint32_t i = 1; i < c->members.n; i++) {
		const struct member *m = &c->members.v[i];

		if (may_watch(c, now_ms, m))
			c->core[c->n_core++] = i;
		c->n_desktops += !member_is_core(m) && member_is_up(m);
		/* the next one to become too old for a watcher */
		if (core && member_is_core(m) && m->state == CLUSTER_UNHEARD &&
		    now_ms - m->since < UNHEARD_MS && m->since + UNHEARD_MS < c->survey_at)
			c->survey_at = m->since + UNHEARD_MS;
	}
	for (uint32_t i = 1; core && i < c->members.n; i++) {
		struct member *m = &c->members.v[i];
		bool watched = m->listed && m->state != CLUSTER_REVOKED &&
			       (reports_by_relay(c, m) || we_rank(c, m));

		if (watched && !m->watched)
			m->watch_since = now_ms;
		m->watched = watched;
		if (watched)
			c->watch[c->n_watch++] = i;
	}
	find_own_watchers(c, now_ms);
	return 0;
}

uint64_t watch_report_ms(const struct cluster *c, uint8_t role)
{
	uint64_t ms = c->cfg.tune.report_ms;
	uint64_t room = (uint64_t)c->cfg.tune.desktops_per_core *
			(c->n_core + (cluster_is_core(c) ? 1 : 0));
	uint64_t n = c->n_desktops > c->told_desktops ? c->n_desktops : c->told_desktops;

	if (role_is_core(role) || room == 0 || n <= room)
		return ms;
	return ms * n / room;
}

uint64_t watch_limit_ms(const struct cluster *c, const struct member *m)
{
	const struct cluster_tune *t = &c->cfg.tune;
	uint64_t report = watch_report_ms(c, m->role);
	uint64_t limit = report + t->silence_ms;

	/* stretched reports: the node may count a few members more than we do */
	if (report > t->report_ms)
		limit += report / 4;
	/* whose last connection went just now is still expected to report */
	if (!m->direct && (m->direct_at == 0 || c->last_ms - m->direct_at > REPORTED_MS))
		limit += INDIRECT_LIMIT_MS;
	return limit + c->stats.health * HEALTH_STEP_MS;
}

uint64_t watch_silence_ms(const struct cluster *c, uint64_t now_ms, const struct member *m)
{
	uint64_t since = m->heard_at;

	if (since < m->watch_since)
		since = m->watch_since;
	if (since < c->awake_since)
		since = c->awake_since;
	return now_ms > since ? now_ms - since : 0;
}
