/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * chaos.c - all faults at random, then none
 *
 * For two minutes nodes crash, restart, leave, stall, are parted and joined, the network loses up
 * to a third of the packets, and the last node, when it is a desktop, lies. Then all that ends.
 * What must hold on the way: only core members declare deaths, incarnations only rise, nobody
 * believes a lie. What must hold in the end: one view.
 */
#include "chaos.h"

#include <assert.h>
#include <stdlib.h>

#include "liar.h"

#define BEGIN_S	     5
#define END_S	     125
#define LIES_AT_ONCE 10

enum chaos_move {
	CHAOS_CRASH,
	CHAOS_RESTART,
	CHAOS_LEAVE,
	CHAOS_STALL,
	CHAOS_PART,
	CHAOS_JOIN,
	CHAOS_LOSS,
	CHAOS_LIES,
	N_CHAOS,
	CHAOS_NEXT, /* do one of the above */
	CHAOS_END,
	CHAOS_LOOK,
};

void chaos_prepare(struct sim_config *cfg)
{
	struct rng r;

	/* the seed decides the shape too; the command line's numbers are the most */
	rng_init(&r, cfg->seed ^ 0xc4a05);
	cfg->core = 1 + rng_below(&r, cfg->core);
	cfg->nodes = cfg->core + 1 + rng_below(&r, cfg->nodes - cfg->core);
	cfg->relayed = rng_below(&r, 4);
	cfg->duplicates = rng_unit(&r) * 0.2;
	cfg->jitter_us = rng_below(&r, 50000);
	cfg->codec = true;
}

void chaos_begin(struct run *r)
{
	struct sim *s = &r->sim;

	r->fig.heal_core_s = r->fig.heal_s = -1;
	r->seen = calloc((size_t)s->cfg.nodes * s->cfg.nodes, sizeof(*r->seen));
	assert(r->seen);
	s->nodes[s->cfg.nodes - 1].liar = !sim_is_core(&s->nodes[s->cfg.nodes - 1]);
	sim_at(s, BEGIN_S * SIM_SECOND, CHAOS_NEXT);
	sim_at(s, END_S * SIM_SECOND, CHAOS_END);
}

void chaos_changed(struct run *r, struct sim_node *n, const struct cluster_change *ch)
{
	uint32_t *seen = &r->seen[(n->id - 1) * r->sim.cfg.nodes + ch->id - 1];

	/* a desktop may have to forget */
	if (ch->incarnation < *seen && sim_is_core(n))
		r->fig.steps_back++;
	*seen = ch->incarnation;
}

static void restart(struct run *r, uint32_t node)
{
	struct sim *s = &r->sim;

	if (s->nodes[node].cluster)
		return;
	/* it remembers nothing */
	memset(&r->seen[node * s->cfg.nodes], 0, s->cfg.nodes * sizeof(*r->seen));
	sim_start(s, node);
}

static void crash(struct run *r, uint32_t node, bool leaves)
{
	struct sim *s = &r->sim;
	struct sim_node *n = &s->nodes[node];

	if (!n->cluster)
		return;
	if (leaves)
		cluster_leave(n->cluster, sim_local_ms(s, n));
	sim_kill(s, node);
}

static void one_fault(struct run *r, enum chaos_move what)
{
	struct sim *s = &r->sim;
	uint32_t node = rng_below(&s->rng, s->cfg.nodes);

	switch (what) {
	case CHAOS_CRASH:
	case CHAOS_LEAVE:
		crash(r, node, what == CHAOS_LEAVE);
		return;
	case CHAOS_RESTART:
		restart(r, node);
		return;
	case CHAOS_STALL:
		sim_stall(s, node, s->now_us + rng_below(&s->rng, 15 * SIM_SECOND));
		return;
	case CHAOS_PART:
		s->nodes[node].side = rng_below(&s->rng, 3);
		return;
	case CHAOS_JOIN:
		for (uint32_t i = 0; i < s->cfg.nodes; i++)
			s->nodes[i].side = 0;
		return;
	case CHAOS_LOSS:
		s->cfg.loss = rng_unit(&s->rng) / 3;
		return;
	case CHAOS_LIES:
		for (uint32_t i = 0; i < LIES_AT_ONCE && s->nodes[s->cfg.nodes - 1].cluster &&
				     s->nodes[s->cfg.nodes - 1].liar;
		     i++)
			liar_speak(r, s->cfg.nodes - 1, rng_below(&s->rng, 100));
		r->fig.lies_believed += liar_believed(s, false);
		return;
	case N_CHAOS:
	case CHAOS_NEXT:
	case CHAOS_END:
	case CHAOS_LOOK:
		return;
	}
}

void chaos_move(struct run *r, uint32_t number)
{
	struct sim *s = &r->sim;

	switch ((enum chaos_move)number) {
	case CHAOS_NEXT:
		if (s->now_us >= END_S * SIM_SECOND)
			return;
		one_fault(r, (enum chaos_move)rng_below(&s->rng, N_CHAOS));
		sim_at(s, s->now_us + rng_below(&s->rng, 2 * SIM_SECOND), CHAOS_NEXT);
		return;
	case CHAOS_END:
		one_fault(r, CHAOS_JOIN);
		s->cfg.loss = 0.01;
		for (uint32_t i = 0; i < s->cfg.nodes; i++) {
			restart(r, i);
			sim_stall(s, i, 0);
		}
		r->healed_us = s->now_us;
		sim_at(s, s->now_us + SIM_SECOND / 10, CHAOS_LOOK);
		return;
	case CHAOS_LOOK:
		if (!run_look(r, r->healed_us, &r->fig.heal_core_s, &r->fig.heal_s))
			sim_at(s, s->now_us + SIM_SECOND / 10, CHAOS_LOOK);
		return;
	case CHAOS_CRASH:
	case CHAOS_RESTART:
	case CHAOS_LEAVE:
	case CHAOS_STALL:
	case CHAOS_PART:
	case CHAOS_JOIN:
	case CHAOS_LOSS:
	case CHAOS_LIES:
	case N_CHAOS:
		return;
	}
}
