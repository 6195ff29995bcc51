/* SPDX-License-Identifier: GPL-2.0-or-later */
/* scenario.h - what happens to the nodes in a run */
#ifndef TESTS_SIM_SCENARIO_H
#define TESTS_SIM_SCENARIO_H

#include "figures.h"

struct run {
	struct sim sim;
	struct figures fig;
	const struct scenario *scenario;
	uint32_t seconds;
	/* death trials */
	uint32_t victim;
	uint64_t killed_us;
	bool waiting; /* a victim is down and not yet known dead by all core members */
	bool suspected, declared;
	uint32_t knowing;
	/* partition, chaos: when faults ended */
	uint64_t healed_us;
	uint32_t *seen; /* chaos: owned; the highest incarnation that each saw of each */
};

struct scenario {
	const char *name, *help;
	uint32_t nodes, core, seconds;		      /* when the command line does not say */
	void (*prepare)(struct sim_config *cfg);      /* may be NULL */
	void (*begin)(struct run *r);		      /* may be NULL */
	void (*move)(struct run *r, uint32_t number); /* may be NULL */
	bool best;				      /* measure the 100 best, not all ages */
};

extern const struct scenario scenarios[];
extern const size_t n_scenarios;

const struct scenario *scenario_find(const char *name);

/** run_look() - Has everybody one view? The times are taken when that is so first */
bool run_look(struct run *r, uint64_t since_us, double *core_s, double *all_s);

/** scenario_run() - Run it and fill r->fig; the caller ends with run_done() */
void scenario_run(struct run *r, const struct scenario *sc, const struct sim_config *cfg,
		  uint32_t seconds);
void run_done(struct run *r);

#endif
