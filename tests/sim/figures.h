/* SPDX-License-Identifier: GPL-2.0-or-later */
/* figures.h - what a run of the simulator is measured by */
#ifndef TESTS_SIM_FIGURES_H
#define TESTS_SIM_FIGURES_H

#include "sim.h"

/* times in a histogram: quantiles without keeping each */
#define SPREAD_STEP_US 20000ULL
#define SPREAD_STEPS   6000 /* the last one holds all above two minutes */

struct spread {
	uint64_t n;
	double sum_us;
	uint64_t max_us;
	uint32_t steps[SPREAD_STEPS];
};

void spread_add(struct spread *sp, uint64_t us);
double spread_mean(const struct spread *sp);		      /* seconds; 0 when empty */
double spread_quantile(const struct spread *sp, double part); /* seconds */

struct figures {
	struct spread age_core, age_desktop;	  /* of load information, by who has it */
	struct spread age_best;			  /* of what core members know of their 100 best */
	struct spread suspected, declared, known; /* after a death: first, first, by all core */
	uint64_t false_suspicions, false_deaths;
	uint64_t deaths_by_desktop; /* declared by one: must never be */
	uint64_t lies_believed;
	uint64_t steps_back;	     /* of an incarnation, in somebody's view: must never be */
	double worst_node_age_s;     /* the mean of the core member that knows least */
	double peak_bits, mean_bits; /* sent a second: worst node in worst 10 s; all */
	/* to one view: of core members, of all; -1: not within the run, 0: not asked */
	double heal_core_s, heal_s, join_core_s, join_s;
	double memory_core, memory_desktop; /* bytes, of the largest */
};

/** figures_ages() - Take a sample of what everybody knows now */
void figures_ages(struct figures *f, struct sim *s);

/** figures_best() - The same for the 100 best of each core member */
void figures_best(struct figures *f, struct sim *s);

/** figures_bits() - Ten seconds are over */
void figures_bits(struct figures *f, struct sim *s, uint64_t window_us);

void figures_memory(struct figures *f, struct sim *s);

/** figures_one_view() - Everybody that is up is seen as alive by everybody on its side
 * @core:	Ask core members only
 */
bool figures_one_view(struct sim *s, bool core);

struct scenario;

void figures_print(const struct figures *f, const struct sim *s, const char *name, bool json);

#endif
