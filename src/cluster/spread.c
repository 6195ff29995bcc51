/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * spread.c - what is told to whom, within the bandwidth
 *
 * Theory of operation
 *
 * Three kinds of packet leave a node:
 *
 *   control	pings, answers, accusations, refutations: our own entry and at most one other;
 *   reports	our own entry, to each of our watchers in turn, so that they know we are there;
 *   bulk	as many entries as a packet holds, from core members only: to other core members
 *		often enough that all have a fresh view, with what bandwidth is left to the
 *		desktops that report to us, the one that has waited longest first.
 *
 * The budget lets the first two pass while there is any left, bulk only above a reserve, and so
 * all but pings that goes to a desktop from a core member.
 *
 * A bulk packet is filled in this order: ourselves; what we think of the receiver if that is not
 * "alive", so that it can contradict; rumours (changed states) up to a third; and when not all
 * the rest fits, half of the room for the members where work would go next, the rest for the
 * freshest. Passing on the freshest is what keeps the average age small: what is old here was
 * heard elsewhere meanwhile (Amar, Barak et al., "Randomized gossip algorithms", 2009). That
 * holds among core members. A desktop hears nothing elsewhere, so it gets any of the rest.
 *
 * Of deaths and returns two core members are told at once, by each one that learns of them: a
 * small packet each, and all know within a few round trips.
 */
#include "cluster/spread.h"

#include "cluster/best.h"
#include "cluster/watch.h"

#define BASE_BYTES	48   /* of a message around its entries, at most */
#define ENTRY_BYTES	11   /* of a usual entry */
#define REPORT_RUMORS	6    /* that a core member adds to a report */
#define PROFILE_EVERY	16   /* a profile goes with each so many-th mention of a member */
#define NEWS_TO		2    /* core members that are told of a death or a return at once */
#define CORE_ROUNDS	4    /* core_gossip_ms is meant for as many: 8 to 15 core members */
#define NOTICE_MS	1000 /* between two notices to one member */
#define FEED_SILENCE_MS 3000 /* a desktop that reported to us this long ago is fed no more */

/* a packet while it is filled */
struct fill {
	struct cluster *c;
	uint64_t now_ms;
	const struct member *to;
	size_t bytes;
	uint32_t n;
	uint32_t at[GOSSIP_ENTRIES_MAX]; /* places in the table */
};

static bool sayable(const struct member *m)
{
	return m->incarnation > 0 && m->state != CLUSTER_UNHEARD && m->state != CLUSTER_REVOKED;
}

static uint8_t wire_state(const struct member *m)
{
	switch ((enum cluster_state)m->state) {
	case CLUSTER_SUSPECT:
		return GOSSIP_SUSPECT;
	case CLUSTER_DEAD:
		return GOSSIP_DEAD;
	case CLUSTER_LEFT:
		return GOSSIP_LEFT;
	case CLUSTER_ALIVE:
	case CLUSTER_UNHEARD:
	case CLUSTER_REVOKED:
		break;
	}
	return GOSSIP_ALIVE;
}

/* a new profile is news among core members; a desktop can wait for its turn */
static bool profile_goes(const struct cluster *c, const struct member *to, const struct member *m)
{
	bool news = m->profile_news > 0 && member_is_core(to);

	return m->has_profile && (news || (c->packet + m->id) % PROFILE_EVERY == 0);
}

static void entry_of(const struct cluster *c, uint64_t now_ms, const struct member *to,
		     const struct member *m, struct gossip_entry *ret)
{
	uint64_t age = now_ms > m->load_at ? now_ms - m->load_at : 0;

	*ret = (struct gossip_entry){
		.id = m->id,
		.incarnation = m->incarnation,
		.seq = m->seq,
		.age_ms = age < GOSSIP_AGE_MAX_MS ? (uint32_t)age : GOSSIP_AGE_MAX_MS,
		.state = wire_state(m),
		.witness = m->state == CLUSTER_SUSPECT && m->doubt &&
			   c->doubts[m->doubt - 1].stage == DOUBT_SUSPECT,
		.has_profile = profile_goes(c, to, m),
		.load = m->load,
	};
	if (ret->has_profile)
		ret->profile = m->profile;
}

/* Return: false when the packet is full */
static bool fill_add(struct fill *f, struct member *m)
{
	struct gossip_entry e;
	size_t bytes;

	if (m->mark == f->c->packet || !sayable(m))
		return true;
	entry_of(f->c, f->now_ms, f->to, m, &e);
	bytes = gossip_entry_size(&e);
	if (f->n == GOSSIP_ENTRIES_MAX || f->bytes + bytes > GOSSIP_BYTES_MAX)
		return false;
	f->bytes += bytes;
	f->at[f->n++] = (uint32_t)(m - f->c->members.v);
	m->mark = f->c->packet;
	return true;
}

static void fill_begin(struct fill *f, struct cluster *c, uint64_t now_ms, struct member *to)
{
	*f = (struct fill){ .c = c, .now_ms = now_ms, .to = to, .bytes = BASE_BYTES };
	c->packet++;
	(void)fill_add(f, cluster_self(c)); /* the first always fits */
	if (to->state != CLUSTER_ALIVE)
		(void)fill_add(f, to);
	to->mark = c->packet; /* it knows best about itself */
}

/*
 * The reserve is for core members and for pings. Whatever desktops can make us send stays above it,
 * so that many of them together cannot silence us.
 */
static bool pay_and_send(struct cluster *c, uint64_t now_ms, const struct member *to,
			 const struct gossip_msg *m, bool bulk)
{
	size_t bytes = gossip_size(m) + c->cfg.tune.overhead_bytes;
	bool above_reserve = bulk || (!member_is_core(to) && m->kind != GOSSIP_PING);

	budget_fill(&c->budget, now_ms);
	if (!budget_take(&c->budget, bytes, above_reserve)) {
		c->stats.held_back++;
		return false;
	}
	c->stats.sent_packets++;
	c->stats.sent_bytes += bytes;
	c->ops->send(c->ctx, to->id, m);
	return true;
}

/* sort by id, write the message and send it */
static bool fill_send(struct fill *f, enum gossip_kind kind, uint32_t number, uint32_t subject,
		      bool bulk)
{
	struct cluster *c = f->c;
	const struct member *v = c->members.v;
	struct gossip_msg *m = &c->out;

	for (uint32_t i = 1; i < f->n; i++) {
		uint32_t at = f->at[i], j = i;

		for (; j > 0 && v[f->at[j - 1]].id > v[at].id; j--)
			f->at[j] = f->at[j - 1];
		f->at[j] = at;
	}
	m->kind = (uint8_t)kind;
	m->number = number;
	m->subject = subject;
	m->desktops = bulk && !member_is_core(f->to) ? c->n_desktops : 0;
	m->n_entries = f->n;
	for (uint32_t i = 0; i < f->n; i++)
		entry_of(c, f->now_ms, f->to, &v[f->at[i]], &m->entries[i]);

	return pay_and_send(c, f->now_ms, f->to, m, bulk);
}

bool spread_control(struct cluster *c, uint64_t now_ms, struct member *to, enum gossip_kind kind,
		    uint32_t number, uint32_t subject, struct member *about)
{
	struct fill f;

	if (!to->direct)
		return false;
	fill_begin(&f, c, now_ms, to);
	if (about)
		(void)fill_add(&f, about); /* there is room */
	return fill_send(&f, kind, number, subject, false);
}

void spread_notice(struct cluster *c, uint64_t now_ms, struct member *m,
		   const struct gossip_entry *said)
{
	struct gossip_msg *msg = &c->out;

	if (!m->direct || (m->notice_at && now_ms < m->notice_at + NOTICE_MS))
		return;
	m->notice_at = now_ms;
	*msg = (struct gossip_msg){ .kind = GOSSIP_WORD, .n_entries = 1 };
	if (said)
		msg->entries[0] = *said;
	else
		entry_of(c, now_ms, m, m, &msg->entries[0]);
	msg->entries[0].witness = false;	      /* the accuser may be somebody else */
	(void)pay_and_send(c, now_ms, m, msg, false); /* its next word brings the next notice */
}

/* one packet less in which it goes first */
static void rumors_told(struct fill *f)
{
	for (uint32_t i = 0; i < f->n; i++) {
		struct member *m = &f->c->members.v[f->at[i]];

		if (m->rumor > 0)
			m->rumor--;
		if (m->profile_news > 0 && member_is_core(f->to))
			m->profile_news--;
	}
}

/* of core members first: who watches whom hangs on them */
static void add_rumors(struct fill *f, size_t most_bytes, uint32_t most)
{
	struct cluster *c = f->c;
	uint32_t n = c->members.n, added = f->n;
	/* from a random place on, so that many of them take turns */
	uint32_t start = rng_below(&c->rng, n);

	for (uint32_t i = 0; i < c->n_core && f->n - added < most && f->bytes < most_bytes; i++) {
		struct member *m = &c->members.v[c->core[(start + i) % c->n_core]];

		if (m->rumor > 0 && !fill_add(f, m))
			return;
	}
	for (uint32_t i = 0; i < n && f->n - added < most && f->bytes < most_bytes; i++) {
		struct member *m = &c->members.v[(start + i) % n];

		if (m->rumor > 0 && !fill_add(f, m))
			return;
	}
}

/* put the n freshest of scratch[0..len) in front (Hoare's find) */
static void freshest_first(const struct cluster *c, uint32_t *a, uint32_t len, uint32_t n)
{
	const struct member *v = c->members.v;
	uint32_t lo = 0, hi = len;

	while (hi - lo > 1 && n > lo && n < hi) {
		uint64_t pivot = v[a[lo + (hi - lo) / 2]].load_at;
		uint32_t i = lo, j = hi - 1;

		for (;;) {
			while (v[a[i]].load_at > pivot)
				i++;
			while (v[a[j]].load_at < pivot)
				j--;
			if (i >= j)
				break;
			uint32_t t = a[i];

			a[i++] = a[j];
			a[j--] = t;
		}
		/* [lo, i) is at least as fresh as the rest */
		if (i == lo)
			i++;
		if (n < i)
			hi = i;
		else
			lo = i;
	}
}

/* put any n of scratch[0..len) in front */
static void any_first(struct cluster *c, uint32_t len, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		uint32_t j = i + rng_below(&c->rng, len - i), t = c->scratch[i];

		c->scratch[i] = c->scratch[j];
		c->scratch[j] = t;
	}
}

static void add_best(struct fill *f)
{
	struct cluster *c = f->c;
	size_t half = f->bytes + (GOSSIP_BYTES_MAX - f->bytes) / 2;
	uint32_t n = (uint32_t)((half - f->bytes) / ENTRY_BYTES);

	memcpy(c->scratch, c->best, c->n_best * sizeof(c->best[0]));
	freshest_first(c, c->scratch, c->n_best, n);
	for (uint32_t i = 0; i < c->n_best && f->bytes < half; i++)
		if (!fill_add(f, &c->members.v[c->scratch[i]]))
			return;
}

static void add_rest(struct fill *f)
{
	struct cluster *c = f->c;
	uint32_t n = 0, room, start = 0;

	for (uint32_t i = 1; i < c->members.n; i++) {
		const struct member *m = &c->members.v[i];

		if (m->mark != c->packet && sayable(m))
			c->scratch[n++] = i;
	}
	room = (uint32_t)((GOSSIP_BYTES_MAX - f->bytes) / ENTRY_BYTES) + 1;
	if (n > room && member_is_core(f->to))
		freshest_first(c, c->scratch, n, room);
	else if (n > room)
		any_first(c, n, room);
	else if (n > 0)
		start = rng_below(&c->rng, n); /* should some not fit, then not always the same */
	for (uint32_t i = 0; i < n; i++)
		if (!fill_add(f, &c->members.v[c->scratch[(start + i) % n]]))
			return;
}

static void send_bulk(struct cluster *c, uint64_t now_ms, struct member *to)
{
	bool all_fit = BASE_BYTES + (size_t)c->members.n * ENTRY_BYTES <= GOSSIP_BYTES_MAX;
	struct fill f;

	if (!all_fit)
		best_refresh(c, now_ms); /* uses marks, so before the packet is begun */
	fill_begin(&f, c, now_ms, to);
	add_rumors(&f, member_is_core(to) ? GOSSIP_BYTES_MAX / 3 : GOSSIP_BYTES_MAX,
		   GOSSIP_ENTRIES_MAX);
	if (!all_fit)
		add_best(&f);
	add_rest(&f);
	if (fill_send(&f, GOSSIP_WORD, 0, 0, true)) {
		rumors_told(&f);
		to->told_at = now_ms;
	}
}

static struct member *random_core(struct cluster *c)
{
	/* a few tries find one that can be reached, or there are hardly any */
	for (int i = 0; i < 4 && c->n_core > 0; i++) {
		struct member *m = &c->members.v[c->core[rng_below(&c->rng, c->n_core)]];

		if (m->direct)
			return m;
	}
	return NULL;
}

/* of the desktops that report to us the one that was told nothing for longest */
static struct member *hungriest_desktop(struct cluster *c, uint64_t now_ms)
{
	uint64_t reported = FEED_SILENCE_MS + 2 * watch_report_ms(c, CLUSTER_DESKTOP);
	struct member *found = NULL;

	for (uint32_t i = 0; i < c->n_watch; i++) {
		struct member *m = &c->members.v[c->watch[i]];

		if (!member_is_core(m) && member_is_up(m) && m->direct && m->direct_at > 0 &&
		    now_ms - m->direct_at < reported && (!found || m->told_at < found->told_at))
			found = m;
	}
	return found;
}

/* the more core members there are, the more rounds a word takes to reach all: speak more often */
static uint64_t core_gossip_ms(const struct cluster *c)
{
	uint32_t rounds = 0;

	for (uint32_t n = c->n_core + 1; n > 0; n >>= 1)
		rounds++;
	return (uint64_t)c->cfg.tune.core_gossip_ms * CORE_ROUNDS / rounds;
}

/*
 * Keeps the mean interval although turns come when the budget allows: saves up for one at most.
 * Turns that core members got only because no desktop was hungry are not held against them.
 */
static void core_told(struct cluster *c, uint64_t now_ms)
{
	uint64_t every = core_gossip_ms(c);

	c->core_gossip_at += every;
	if (c->core_gossip_at + every < now_ms)
		c->core_gossip_at = now_ms - every;
	if (c->core_gossip_at > now_ms + every)
		c->core_gossip_at = now_ms + every;
}

static void bulk_due(struct cluster *c, uint64_t now_ms)
{
	struct member *to = NULL;
	bool core_turn = now_ms >= c->core_gossip_at;

	if (!core_turn)
		to = hungriest_desktop(c, now_ms);
	if (!to) {
		to = random_core(c);
		if (to)
			core_told(c, now_ms);
	}
	if (!to)
		to = hungriest_desktop(c, now_ms);
	if (to)
		send_bulk(c, now_ms, to);
}

static void report(struct cluster *c, uint64_t now_ms, struct member *to)
{
	struct fill f;

	fill_begin(&f, c, now_ms, to);
	if (cluster_is_core(c))
		add_rumors(&f, GOSSIP_BYTES_MAX, REPORT_RUMORS);
	if (fill_send(&f, GOSSIP_WORD, 0, 0, false))
		rumors_told(&f);
}

static void reports_due(struct cluster *c, uint64_t now_ms)
{
	uint64_t every = watch_report_ms(c, (uint8_t)c->cfg.role);

	if (c->n_reports != c->n_watchers) {
		/* spread over the interval, so that somebody hears of us soon */
		for (uint32_t i = 0; i < c->n_watchers; i++)
			c->report_at[i] = now_ms + every * i / c->n_watchers;
		c->n_reports = c->n_watchers;
	}
	for (uint32_t i = 0; i < c->n_watchers; i++) {
		struct member *to = member_find(&c->members, c->watchers[i]);

		if (now_ms < c->report_at[i])
			continue;
		c->report_at[i] += every;
		/* late or the interval has shrunk: do not catch up */
		if (c->report_at[i] <= now_ms || c->report_at[i] > now_ms + every)
			c->report_at[i] = now_ms + every;
		if (to && to->direct)
			report(c, now_ms, to);
	}
}

static void news_due(struct cluster *c, uint64_t now_ms)
{
	for (uint32_t i = 0; i < c->n_news; i++) {
		struct member *m = member_find(&c->members, c->news[i]);

		for (int j = 0; m && j < NEWS_TO; j++) {
			struct member *to = random_core(c);

			/* a wave of news, as after a partition, travels in bulk packets */
			if (to && to != m && budget_wait_ms(&c->budget, 0) == 0)
				spread_control(c, now_ms, to, GOSSIP_WORD, 0, 0, m);
		}
	}
	c->n_news = 0;
}

void spread_due(struct cluster *c, uint64_t now_ms)
{
	uint64_t packet = GOSSIP_BYTES_MAX + c->cfg.tune.overhead_bytes, wait;

	if (cluster_self(c)->state == CLUSTER_LEFT)
		return;
	budget_fill(&c->budget, now_ms);
	reports_due(c, now_ms);
	news_due(c, now_ms);
	if (!cluster_is_core(c) || now_ms < c->gossip_at)
		return;
	if (budget_wait_ms(&c->budget, packet) == 0) {
		bulk_due(c, now_ms);
		c->gossip_at = now_ms + c->cfg.tune.gossip_ms;
	}
	wait = budget_wait_ms(&c->budget, packet);
	if (c->gossip_at < now_ms + wait)
		c->gossip_at = now_ms + wait;
}

uint64_t spread_deadline(const struct cluster *c)
{
	uint64_t at = cluster_is_core(c) ? c->gossip_at : UINT64_MAX;

	if (c->n_news > 0)
		return c->last_ms;
	for (uint32_t i = 0; i < c->n_reports; i++)
		if (c->report_at[i] < at)
			at = c->report_at[i];
	return at;
}
