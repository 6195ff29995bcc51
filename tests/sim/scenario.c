/* SPDX-License-Identifier: GPL-2.0-or-later */
/* scenario.c - what happens to the nodes in a run */
#include "scenario.h"

#include <assert.h>

#include "chaos.h"
#include "liar.h"

#define WARM_S	       20 /* before anything is measured or broken */
#define WINDOW_S       10 /* of the bandwidth */
#define STARVE_PART    10 /* each so many-th node... */
#define STARVE_S       5  /* ...is starved so long... */
#define STARVE_EVERY_S 12 /* ...in each such time */

static uint64_t random_us(struct sim *s, uint64_t seconds)
{
	return (uint64_t)(rng_unit(&s->rng) * (double)(seconds * SIM_SECOND));
}

static uint32_t core_up(const struct sim *s)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < s->cfg.core; i++)
		n += s->nodes[i].cluster != NULL;
	return n;
}

/* ---- what nodes find out ---- */

static void on_changed(struct sim *s, struct sim_node *n, const struct cluster_change *ch)
{
	struct run *r = s->ctx;
	struct sim_node *of = &s->nodes[ch->id - 1];
	uint64_t after_us = s->now_us - r->killed_us;
	bool about_victim = r->waiting && ch->id == r->victim + 1;

	if (ch->mine && ch->to == CLUSTER_SUSPECT && of->cluster && of->side == n->side)
		r->fig.false_suspicions++;
	if (ch->mine && ch->to == CLUSTER_DEAD) {
		r->fig.deaths_by_desktop += !sim_is_core(n);
		r->fig.false_deaths += of->cluster && of->side == n->side;
	}
	if (r->seen)
		chaos_changed(r, n, ch);
	if (!about_victim)
		return;
	if (ch->to == CLUSTER_SUSPECT && !r->suspected) {
		r->suspected = true;
		spread_add(&r->fig.suspected, after_us);
	}
	if (ch->to == CLUSTER_DEAD && !r->declared) {
		r->declared = true;
		spread_add(&r->fig.declared, after_us);
	}
	if (ch->to == CLUSTER_DEAD && sim_is_core(n) && ++r->knowing == core_up(s)) {
		r->waiting = false;
		spread_add(&r->fig.known, after_us);
	}
}

/* ---- deaths: one node at a time dies and comes back ---- */

enum death_move {
	DEATH_KILL,
	DEATH_BACK,
};

static void deaths_begin(struct run *r)
{
	sim_at(&r->sim, WARM_S * SIM_SECOND, DEATH_KILL);
}

static void deaths_move(struct run *r, uint32_t number)
{
	struct sim *s = &r->sim;

	switch ((enum death_move)number) {
	case DEATH_KILL:
		/* a core member as often as a desktop; the only head stays when it is alone */
		r->victim = rng_below(&s->rng, 2) && s->cfg.core > 1
				    ? rng_below(&s->rng, s->cfg.core)
				    : rng_below(&s->rng, s->cfg.nodes - 1) + 1;
		r->killed_us = s->now_us;
		r->waiting = true;
		r->suspected = r->declared = false;
		r->knowing = 0;
		sim_kill(s, r->victim);
		sim_at(s, s->now_us + 20 * SIM_SECOND, DEATH_BACK);
		return;
	case DEATH_BACK:
		/* never found out: show it as a minute and more */
		if (r->waiting)
			spread_add(&r->fig.known, 60 * SIM_SECOND);
		r->waiting = false;
		sim_start(s, r->victim);
		sim_at(s, s->now_us + 10 * SIM_SECOND + random_us(s, 5), DEATH_KILL);
		return;
	}
}

/* ---- starve: every tenth node gets no CPU for five seconds, again and again ---- */

static void starve_begin(struct run *r)
{
	sim_at(&r->sim, WARM_S * SIM_SECOND, 0);
}

static void starve_move(struct run *r, uint32_t number)
{
	struct sim *s = &r->sim;
	uint32_t n = s->cfg.nodes;

	if (number > 0) {
		/* somebody who has been starved just now gets a second to breathe */
		if (s->now_us >= s->nodes[number - 1].stalled_until_us + SIM_SECOND)
			sim_stall(s, number - 1, s->now_us + STARVE_S * SIM_SECOND);
		return;
	}
	for (uint32_t i = 0; i < (n + STARVE_PART - 1) / STARVE_PART; i++)
		sim_at(s, s->now_us + random_us(s, STARVE_EVERY_S), 1 + rng_below(&s->rng, n));
	sim_at(s, s->now_us + STARVE_EVERY_S * SIM_SECOND, 0);
}

bool run_look(struct run *r, uint64_t since_us, double *core_s, double *all_s)
{
	double passed = (double)(r->sim.now_us - since_us) / SIM_SECOND;

	if (*core_s < 0 && figures_one_view(&r->sim, true))
		*core_s = passed;
	if (*core_s < 0 || !figures_one_view(&r->sim, false))
		return false;
	*all_s = passed;
	return true;
}

/* ---- partition: two halves for a minute ---- */

enum partition_move {
	PARTITION_SPLIT,
	PARTITION_HEAL,
	PARTITION_LOOK,
};

static void partition_begin(struct run *r)
{
	r->fig.heal_core_s = r->fig.heal_s = -1;
	sim_at(&r->sim, WARM_S * SIM_SECOND, PARTITION_SPLIT);
	sim_at(&r->sim, (WARM_S + 60) * SIM_SECOND, PARTITION_HEAL);
}

static void partition_move(struct run *r, uint32_t number)
{
	struct sim *s = &r->sim;

	switch ((enum partition_move)number) {
	case PARTITION_SPLIT:
		/* half of the core members and half of the desktops */
		for (uint32_t i = 0; i < s->cfg.nodes; i++)
			s->nodes[i].side = i % 2;
		return;
	case PARTITION_HEAL:
		for (uint32_t i = 0; i < s->cfg.nodes; i++)
			s->nodes[i].side = 0;
		r->healed_us = s->now_us;
		sim_at(s, s->now_us + SIM_SECOND / 10, PARTITION_LOOK);
		return;
	case PARTITION_LOOK:
		if (!run_look(r, r->healed_us, &r->fig.heal_core_s, &r->fig.heal_s))
			sim_at(s, s->now_us + SIM_SECOND / 10, PARTITION_LOOK);
		return;
	}
}

/* ---- join: all start at once ---- */

static void join_begin(struct run *r)
{
	r->fig.join_core_s = r->fig.join_s = -1;
	sim_at(&r->sim, SIM_SECOND / 10, 0);
}

static void join_move(struct run *r, uint32_t number)
{
	struct sim *s = &r->sim;

	if (!run_look(r, 0, &r->fig.join_core_s, &r->fig.join_s))
		sim_at(s, s->now_us + SIM_SECOND / 10, 0);
}

/* ---- configurations ---- */

static void relayed_prepare(struct sim_config *cfg)
{
	cfg->relayed = 3;
}

static void partial_prepare(struct sim_config *cfg)
{
	cfg->desktop_members = 256 + cfg->core;
}

const struct scenario scenarios[] = {
	{ "ages", "how old load information is", 100, 10, 120 },
	{ "best", "large: the age of the 100 best, memory", 1000, 30, 3600,
	  .prepare = partial_prepare, .best = true },
	{ "deaths", "one node at a time dies and comes back", 100, 10, 3600, .begin = deaths_begin,
	  .move = deaths_move },
	{ "starve", "each tenth node gets no CPU for 5 s, at random, again and again", 100, 10,
	  3600, .begin = starve_begin, .move = starve_move },
	{ "partition", "two halves for a minute, then one again", 100, 10, 200,
	  .begin = partition_begin, .move = partition_move },
	{ "join", "all start at once", 100, 10, 60, .begin = join_begin, .move = join_move },
	{ "relayed", "deaths, and each third desktop has outgoing connections only", 100, 10, 3600,
	  .prepare = relayed_prepare, .begin = deaths_begin, .move = deaths_move },
	{ "liar", "every tenth node is a desktop that lies in all ways it can", 100, 10, 120,
	  .begin = liar_begin, .move = liar_move },
	{ "chaos", "all faults at random for two minutes, then none", 30, 6, 260,
	  .prepare = chaos_prepare, .begin = chaos_begin, .move = chaos_move },
};

const size_t n_scenarios = ARRAY_LEN(scenarios);

const struct scenario *scenario_find(const char *name)
{
	for (size_t i = 0; i < n_scenarios; i++)
		if (strcmp(scenarios[i].name, name) == 0)
			return &scenarios[i];
	return NULL;
}

static void on_script(struct sim *s, uint32_t number)
{
	struct run *r = s->ctx;

	r->scenario->move(r, number);
}

void scenario_run(struct run *r, const struct scenario *sc, const struct sim_config *cfg,
		  uint32_t seconds)
{
	struct sim *s = &r->sim;
	/* looking at all pairs costs more than simulating them: less often when they are many */
	uint32_t look_s = 1 + cfg->nodes / 50 * (seconds / 600);

	*r = (struct run){ .scenario = sc, .seconds = seconds };
	sim_init(s, cfg);
	s->ctx = r;
	s->changed = on_changed;
	s->script = on_script;
	if (sc->begin)
		sc->begin(r);
	for (uint32_t t = 1; t <= seconds; t++) {
		sim_run(s, t * SIM_SECOND);
		if (t % WINDOW_S == 0)
			figures_bits(&r->fig, s, WINDOW_S * SIM_SECOND);
		if (t <= WARM_S || t % look_s != 0)
			continue;
		if (sc->best)
			figures_best(&r->fig, s);
		else
			figures_ages(&r->fig, s);
	}
	figures_memory(&r->fig, s);
}

void run_done(struct run *r)
{
	sim_done(&r->sim);
	free(r->seen);
	r->seen = NULL;
}
