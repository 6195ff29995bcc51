/* SPDX-License-Identifier: GPL-2.0-or-later */
/* best.c - the members that would take one more task most cheaply */
#include "cluster/best.h"

#include <assert.h>

#define REFRESH_MS  250
#define BEST_AGE_MS 30000 /* what is older is not known well enough to send work there */
#define FRESH_MS    2000  /* up to here age does not count */
#define DOUBLES_MS  8000  /* and this much later the cost counts twice */
#define FULL_COST   1e9	  /* no memory left */
#define CORRECTIONS 6	  /* packets in which a member that is no longer good goes first */

double cluster_cost(const struct load *l, const struct load_profile *p)
{
	double cpus = p->cpus ? p->cpus : 1;
	double speed = (p->speed ? p->speed : 1000) / 1000.0;
	double tasks = l->run_centi / 100.0 + 1.0 / cpus;
	double cost = (tasks > 1 ? tasks : 1) / speed;

	/* among nodes with a free CPU the emptier one is a little better */
	cost *= 1 + 0.01 * (tasks < 1 ? tasks : 1);
	if (l->free_16mib == 0)
		return FULL_COST;
	/* below a quarter of its memory each halving doubles the cost */
	if (p->mem_16mib > 4u * l->free_16mib)
		cost *= p->mem_16mib / (4.0 * l->free_16mib);
	return cost;
}

static bool takes_work(const struct member *m, uint64_t now_ms)
{
	return m->state == CLUSTER_ALIVE && m->has_load && m->has_profile &&
	       (m->load.flags & (LOAD_ACCEPTS | LOAD_DRAINING)) == LOAD_ACCEPTS &&
	       now_ms - m->load_at <= BEST_AGE_MS && !state_flapping(m, now_ms);
}

/* good news that is old: somebody else will have used it */
static double doubtfulness(const struct member *m, uint64_t now_ms)
{
	uint64_t age_ms = now_ms - m->load_at;

	return age_ms <= FRESH_MS ? 1 : 1 + (double)(age_ms - FRESH_MS) / DOUBLES_MS;
}

/* a heap of the best so far, the dearest on top */
struct heap {
	double cost[CLUSTER_BEST_MAX];
	uint32_t at[CLUSTER_BEST_MAX];
	uint32_t n;
};

static void heap_down(struct heap *h, uint32_t i, double cost, uint32_t at)
{
	for (;;) {
		uint32_t child = 2 * i + 1;

		if (child + 1 < h->n && h->cost[child + 1] > h->cost[child])
			child++;
		if (child >= h->n || h->cost[child] <= cost)
			break;
		h->cost[i] = h->cost[child];
		h->at[i] = h->at[child];
		i = child;
	}
	h->cost[i] = cost;
	h->at[i] = at;
}

static void heap_up(struct heap *h, double cost, uint32_t at)
{
	uint32_t i = h->n++;

	while (i > 0 && h->cost[(i - 1) / 2] < cost) {
		h->cost[i] = h->cost[(i - 1) / 2];
		h->at[i] = h->at[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	h->cost[i] = cost;
	h->at[i] = at;
}

static void find_best(const struct cluster *c, uint64_t now_ms, struct heap *h)
{
	h->n = 0;
	for (uint32_t i = 1; i < c->members.n; i++) {
		const struct member *m = &c->members.v[i];
		double cost;

		if (!takes_work(m, now_ms))
			continue;
		cost = cluster_cost(&m->load, &m->profile) * doubtfulness(m, now_ms);
		if (h->n < CLUSTER_BEST_MAX)
			heap_up(h, cost, i);
		else if (cost < h->cost[0])
			heap_down(h, 0, cost, i);
	}
}

void best_refresh(struct cluster *c, uint64_t now_ms)
{
	struct heap h;
	uint32_t before[CLUSTER_BEST_MAX], n_before = c->n_best;

	if (c->best_at > 0 && now_ms < c->best_at + REFRESH_MS)
		return;
	c->best_at = now_ms;
	memcpy(before, c->best, n_before * sizeof(before[0]));
	find_best(c, now_ms, &h);
	c->n_best = h.n;
	/* cheapest first */
	for (uint32_t i = h.n; i-- > 0;) {
		c->best[i] = h.at[0];
		h.n--;
		heap_down(&h, 0, h.cost[h.n], h.at[h.n]);
	}
	c->packet++;
	for (uint32_t i = 0; i < c->n_best; i++)
		c->members.v[c->best[i]].mark = c->packet;
	for (uint32_t i = 0; i < n_before; i++) {
		struct member *m = &c->members.v[before[i]];

		if (m->mark != c->packet && m->watched && m->rumor < CORRECTIONS)
			m->rumor = CORRECTIONS;
	}
}

uint32_t cluster_best(struct cluster *c, uint64_t now_ms, uint32_t *ret_ids, uint32_t max)
{
	uint32_t n = 0;

	assert(max <= CLUSTER_BEST_MAX);
	if (now_ms < c->last_ms)
		now_ms = c->last_ms;
	best_refresh(c, now_ms);
	for (uint32_t i = 0; i < c->n_best && n < max; i++) {
		const struct member *m = &c->members.v[c->best[i]];

		/* it may have changed since the list was made */
		if (takes_work(m, now_ms))
			ret_ids[n++] = m->id;
	}
	return n;
}
