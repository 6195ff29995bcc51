/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_sim.c - what docs/GOSSIP.md promises, held against the simulator
 *
 * Each row is a run of a scenario with a shape of the cluster and a seed. With SIM_FULL=1 in the
 * environment they take hours: a day of starvation, thousands of chaotic seeds. The published
 * figures are `make bench-sim`.
 */
#include <assert.h>

#include "test.h"

#include "scenario.h"

/* the promises */
#define AGE_S	    1.5
#define SUSPECTED_S 2.0
#define DEAD_S	    10.0
#define KBIT_S	    60.0
#define HEAL_S	    30.0

static const struct shape {
	const char *what;
	uint32_t nodes, core;
} shapes[] = {
	{ "a head, nine servers, ninety desktops", 100, 10 },
	{ "servers only", 100, 100 },
	{ "a head and desktops", 100, 1 },
	{ "four nodes", 4, 1 },
};

static bool full(void)
{
	const char *v = getenv("SIM_FULL");

	return v && v[0] == '1';
}

/* static: it is large */
static struct run run;

static void run_row(const char *scenario, const struct shape *sh, uint32_t seed, uint32_t seconds)
{
	const struct scenario *sc = scenario_find(scenario);
	struct sim_config cfg;

	assert_non_null(sc);
	sim_config_default(&cfg);
	cfg.nodes = sh->nodes;
	cfg.core = sh->core;
	cfg.seed = seed;
	if (sc->prepare)
		sc->prepare(&cfg);
	print_message("%s, %s, seed %u: comosix-sim -s %s -n %u -c %u -t %u --seed %u\n", scenario,
		      sh->what, seed, scenario, sh->nodes, sh->core, seconds, seed);
	scenario_run(&run, sc, &cfg, seconds);
	/* true of every run */
	assert_int_equal(run.fig.deaths_by_desktop, 0);
	assert_int_equal(run.fig.lies_believed, 0);
	assert_int_equal(run.fig.steps_back, 0);
	assert_true(run.fig.peak_bits <= KBIT_S * 1000);
	assert_true(run.sim.packets > 0);
}

static double seconds_of(const struct spread *sp)
{
	return (double)sp->max_us / SIM_SECOND;
}

static void same_seed_same_run(void **state)
{
	uint64_t traces[3];
	static const uint32_t seeds[3] = { 11, 11, 12 };

	for (size_t i = 0; i < 3; i++) {
		run_row("chaos", &(struct shape){ "small", 20, 5 }, seeds[i], 150);
		traces[i] = run.sim.trace;
		run_done(&run);
	}
	assert_true(traces[0] == traces[1]);
	assert_true(traces[0] != traces[2]);
}

static void load_information_is_fresh(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(shapes); i++) {
		run_row("ages", &shapes[i], 21, 90);
		assert_true(run.fig.age_core.n > 0);
		assert_true(spread_mean(&run.fig.age_core) <= AGE_S);
		assert_int_equal(run.fig.false_deaths, 0);
		run_done(&run);
	}
}

static void deaths_are_found_in_time(void **state)
{
	static const char *const scenarios_of_deaths[] = { "deaths", "relayed" };

	for (size_t j = 0; j < ARRAY_LEN(scenarios_of_deaths); j++) {
		for (size_t i = 0; i < ARRAY_LEN(shapes); i++) {
			run_row(scenarios_of_deaths[j], &shapes[i], (uint32_t)(31 + i),
				full() ? 7200 : 300);
			assert_true(run.fig.known.n >= 7);
			/* the last death may be suspected, and the run over before it is known */
			assert_in_range(run.fig.suspected.n, run.fig.known.n, run.fig.known.n + 1);
			assert_true(seconds_of(&run.fig.suspected) <= SUSPECTED_S);
			assert_true(seconds_of(&run.fig.known) <= DEAD_S);
			assert_int_equal(run.fig.false_deaths, 0);
			run_done(&run);
		}
	}
}

static void starved_nodes_are_not_buried(void **state)
{
	static const uint32_t seconds[] = { 1200, 240, 1800, 3600 };

	static_assert(ARRAY_LEN(seconds) == ARRAY_LEN(shapes), "one for each shape");
	for (size_t i = 0; i < ARRAY_LEN(shapes); i++) {
		run_row("starve", &shapes[i], 41, full() ? 86400 : seconds[i]);
		assert_int_equal(run.fig.false_deaths, 0);
		/* they were starved */
		assert_true(run.fig.false_suspicions > 0);
		run_done(&run);
	}
}

static void halves_grow_together(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(shapes); i++) {
		run_row("partition", &shapes[i], 51, 200);
		assert_true(run.fig.heal_core_s > 0 && run.fig.heal_core_s <= HEAL_S);
		assert_true(run.fig.heal_s > 0);
		run_done(&run);
	}
}

static void all_know_all_soon(void **state)
{
	run_row("join", &(struct shape){ "a lab", 50, 1 }, 61, 60);
	assert_true(run.fig.join_s > 0 && run.fig.join_s <= HEAL_S);
	run_done(&run);
}

static void liars_are_not_believed(void **state)
{
	for (uint32_t seed = 71; seed < 74; seed++) {
		run_row("liar", &shapes[0], seed, 60);
		assert_int_equal(run.fig.false_deaths, 0);
		assert_int_equal(run.fig.false_suspicions, 0);
		run_done(&run);
	}
}

static void the_best_are_known_of_late(void **state)
{
	run_row("best", &(struct shape){ "three hundred", 300, 20 }, 81, 60);
	assert_true(run.fig.age_best.n > 0);
	assert_true(spread_mean(&run.fig.age_best) <= 2 * AGE_S);
	run_done(&run);
}

static void chaos_ends_in_one_view(void **state)
{
	for (uint32_t seed = 101; seed < (full() ? 3000 : 161); seed++) {
		run_row("chaos", &(struct shape){ "any", 30, 6 }, seed, 200);
		assert_true(run.fig.heal_s >= 0);
		run_done(&run);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(same_seed_same_run),
		cmocka_unit_test(load_information_is_fresh),
		cmocka_unit_test(deaths_are_found_in_time),
		cmocka_unit_test(starved_nodes_are_not_buried),
		cmocka_unit_test(halves_grow_together),
		cmocka_unit_test(all_know_all_soon),
		cmocka_unit_test(liars_are_not_believed),
		cmocka_unit_test(the_best_are_known_of_late),
		cmocka_unit_test(chaos_ends_in_one_view),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
