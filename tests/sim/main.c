/* SPDX-License-Identifier: GPL-2.0-or-later */
/* main.c - comosix-sim: run one scenario and print its figures */
#include <errno.h>

#include "base/opt.h"
#include "scenario.h"

struct options {
	const char *scenario;
	uint32_t nodes, core, seconds, seed, drift_ppm, report_ms, gossip_ms, core_gossip_ms;
	double loss;
	bool json, codec;
};

#define AT(field) offsetof(struct options, field)

static const struct opt_spec specs[] = {
	{ "scenario", 's', OPT_STRING, AT(scenario), "NAME", "what happens to the nodes" },
	{ "nodes", 'n', OPT_U32, AT(nodes), "N", "how many" },
	{ "core", 'c', OPT_U32, AT(core), "N", "how many of them are head and servers" },
	{ "seconds", 't', OPT_U32, AT(seconds), "N", "simulated time" },
	{ "seed", 0, OPT_U32, AT(seed), "N", "of all chances; the same seed is the same run" },
	{ "loss", 0, OPT_DOUBLE, AT(loss), "PART", "of the packets, 0 to 1" },
	{ "drift", 0, OPT_U32, AT(drift_ppm), "PPM", "how wrong clocks may go" },
	{ "report-ms", 0, OPT_U32, AT(report_ms), "MS", "between two reports to a watcher" },
	{ "gossip-ms", 0, OPT_U32, AT(gossip_ms), "MS", "least, between two packets of entries" },
	{ "core-gossip-ms", 0, OPT_U32, AT(core_gossip_ms), "MS", "between two of them to core" },
	{ "codec", 0, OPT_FLAG, AT(codec), NULL, "encode and decode each packet" },
	{ "json", 0, OPT_FLAG, AT(json), NULL, "one line of JSON" },
};

static const struct opt_command command = {
	.name = "comosix-sim",
	.args = "",
	.summary = "Simulate the membership of a cluster: src/cluster on a fake network.",
	.examples = "comosix-sim --scenario deaths --nodes 100 --core 10 --seconds 3600\n",
	.specs = specs,
	.n_specs = ARRAY_LEN(specs),
};

static int help(void)
{
	struct buf b;

	buf_init(&b, 65536);
	if (opt_help(&command, &b) < 0)
		return 1;
	fputs(buf_text(&b), stdout);
	puts("\nScenarios:");
	for (size_t i = 0; i < n_scenarios; i++)
		printf("  %-12s %s\n", scenarios[i].name, scenarios[i].help);
	buf_done(&b);
	return 0;
}

static void set_when(uint32_t *to, uint32_t v)
{
	if (v)
		*to = v;
}

int main(int argc, char **argv)
{
	struct options o = { .scenario = "ages", .seed = 1, .loss = -1, .drift_ppm = 100 };
	const struct scenario *sc;
	struct sim_config cfg;
	struct err e = { 0 };
	static struct run r;
	int first, ret = opt_parse(&command, argc, argv, &o, &first, &e);

	if (ret == -ECANCELED)
		return help();
	sc = ret < 0 ? NULL : scenario_find(o.scenario);
	if (!sc) {
		fprintf(stderr, "comosix-sim: %s; try --help\n",
			ret < 0 ? e.text : "no such scenario");
		return 2;
	}
	sim_config_default(&cfg);
	cfg.nodes = o.nodes ? o.nodes : sc->nodes;
	cfg.core = o.core ? o.core : sc->core;
	cfg.seed = o.seed;
	cfg.drift_ppm = o.drift_ppm;
	cfg.codec = o.codec;
	if (o.loss >= 0)
		cfg.loss = o.loss;
	if (cfg.core > cfg.nodes || cfg.nodes < 2 || cfg.loss > 1) {
		fprintf(stderr, "comosix-sim: 2 nodes or more, core among them, loss 0 to 1\n");
		return 2;
	}
	set_when(&cfg.tune.report_ms, o.report_ms);
	set_when(&cfg.tune.gossip_ms, o.gossip_ms);
	set_when(&cfg.tune.core_gossip_ms, o.core_gossip_ms);
	if (sc->prepare)
		sc->prepare(&cfg);
	scenario_run(&r, sc, &cfg, o.seconds ? o.seconds : sc->seconds);
	figures_print(&r.fig, &r.sim, sc->name, o.json);
	run_done(&r);
	return 0;
}
