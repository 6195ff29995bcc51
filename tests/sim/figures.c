/* SPDX-License-Identifier: GPL-2.0-or-later */
/* figures.c - what a run of the simulator is measured by */
#include "figures.h"

#include <math.h>

void spread_add(struct spread *sp, uint64_t us)
{
	uint64_t step = us / SPREAD_STEP_US;

	sp->n++;
	sp->sum_us += (double)us;
	if (us > sp->max_us)
		sp->max_us = us;
	sp->steps[step < SPREAD_STEPS ? step : SPREAD_STEPS - 1]++;
}

double spread_mean(const struct spread *sp)
{
	return sp->n ? sp->sum_us / (double)sp->n / SIM_SECOND : 0;
}

double spread_quantile(const struct spread *sp, double part)
{
	uint64_t want = (uint64_t)((double)sp->n * part), seen = 0;

	for (uint32_t i = 0; i < SPREAD_STEPS && sp->n; i++) {
		seen += sp->steps[i];
		if (seen >= want)
			return (double)((i + 1) * SPREAD_STEP_US) / SIM_SECOND;
	}
	return 0;
}

/* Return: true when observer has a load of that node's present life */
static bool known_age(struct sim *s, struct sim_node *observer, uint32_t id, uint64_t *ret_us)
{
	struct sim_node *of = &s->nodes[id - 1];
	struct cluster_view v, own;

	if (!of->cluster ||
	    cluster_view_id(observer->cluster, sim_local_ms(s, observer), id, &v) < 0 ||
	    cluster_view_id(of->cluster, sim_local_ms(s, of), id, &own) < 0)
		return false;
	if ((v.state != CLUSTER_ALIVE && v.state != CLUSTER_SUSPECT) ||
	    v.incarnation != own.incarnation)
		return false;
	*ret_us = sim_true_age_us(s, observer, &v);
	return *ret_us != UINT64_MAX;
}

void figures_ages(struct figures *f, struct sim *s)
{
	for (uint32_t i = 0; i < s->cfg.nodes; i++) {
		struct sim_node *n = &s->nodes[i];
		struct spread *sp = sim_is_core(n) ? &f->age_core : &f->age_desktop;
		double sum = 0;
		uint32_t count = 0;
		uint64_t us;

		for (uint32_t id = 1; n->cluster && id <= s->cfg.nodes; id++) {
			if (id == n->id || !known_age(s, n, id, &us))
				continue;
			spread_add(sp, us);
			sum += (double)us / SIM_SECOND;
			count++;
		}
		if (sim_is_core(n) && count && sum / count > f->worst_node_age_s)
			f->worst_node_age_s = sum / count;
	}
}

void figures_best(struct figures *f, struct sim *s)
{
	for (uint32_t i = 0; i < s->cfg.core; i++) {
		struct sim_node *n = &s->nodes[i];
		uint32_t ids[CLUSTER_BEST_MAX], count;
		uint64_t us;

		if (!n->cluster)
			continue;
		count = cluster_best(n->cluster, sim_local_ms(s, n), ids, CLUSTER_BEST_MAX);
		for (uint32_t j = 0; j < count; j++)
			if (known_age(s, n, ids[j], &us))
				spread_add(&f->age_best, us);
	}
}

void figures_bits(struct figures *f, struct sim *s, uint64_t window_us)
{
	double seconds = (double)window_us / SIM_SECOND, sum = 0;

	for (uint32_t i = 0; i < s->cfg.nodes; i++) {
		struct sim_node *n = &s->nodes[i];
		double rate = (double)(n->bits - n->bits_mark) / seconds;

		n->bits_mark = n->bits;
		if (rate > f->peak_bits)
			f->peak_bits = rate;
		sum += (double)n->bits;
	}
	f->mean_bits = sum / s->cfg.nodes / ((double)s->now_us / SIM_SECOND);
}

void figures_memory(struct figures *f, struct sim *s)
{
	for (uint32_t i = 0; i < s->cfg.nodes; i++) {
		struct sim_node *n = &s->nodes[i];
		double *most = sim_is_core(n) ? &f->memory_core : &f->memory_desktop;
		struct cluster_stats st;

		if (!n->cluster)
			continue;
		cluster_stats(n->cluster, &st);
		if ((double)st.memory_bytes > *most)
			*most = (double)st.memory_bytes;
	}
}

bool figures_one_view(struct sim *s, bool core)
{
	for (uint32_t i = 0; i < (core ? s->cfg.core : s->cfg.nodes); i++) {
		struct sim_node *n = &s->nodes[i];

		for (uint32_t j = 0; n->cluster && j < s->cfg.nodes; j++) {
			struct sim_node *o = &s->nodes[j];
			struct cluster_view v;

			if (!o->cluster || o->side != n->side)
				continue;
			/* with partial views a desktop need not know of others */
			if (s->cfg.desktop_members && !sim_is_core(n) && !sim_is_core(o))
				continue;
			if (cluster_view_id(n->cluster, sim_local_ms(s, n), o->id, &v) < 0 ||
			    v.state != CLUSTER_ALIVE)
				return false;
		}
	}
	return true;
}

/* ---- printing ---- */

static void number(bool json, const char *key, double v, const char *unit, const char *text)
{
	if (json)
		printf(",\"%s\":%.6g", key, v);
	else
		printf("  %-46s %10.3f %s\n", text, v, unit);
}

static void times(bool json, const char *key, const struct spread *sp, const char *text)
{
	char name[64], line[96];
	const struct {
		const char *what;
		double v;
	} rows[] = {
		{ "mean", spread_mean(sp) },
		{ "p99", spread_quantile(sp, 0.99) },
		{ "max", (double)sp->max_us / SIM_SECOND },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows) && sp->n > 0; i++) {
		(void)snprintf(name, sizeof(name), "%s_%s_s", key, rows[i].what);
		(void)snprintf(line, sizeof(line), "%s, %s", text, rows[i].what);
		number(json, name, rows[i].v, "s", line);
	}
	if (sp->n > 0 && json)
		printf(",\"%s_count\":%llu", key, (unsigned long long)sp->n);
}

void figures_print(const struct figures *f, const struct sim *s, const char *name, bool json)
{
	const struct {
		const char *key;
		double s;
		const char *text;
	} views[] = {
		{ "heal_core_s", f->heal_core_s, "end of partition to one view of core members" },
		{ "heal_s", f->heal_s, "end of partition to one view of all" },
		{ "join_core_s", f->join_core_s, "start of all to one view of core members" },
		{ "join_s", f->join_s, "start of all to one view of all" },
	};

	if (json)
		printf("{\"scenario\":\"%s\",\"nodes\":%u,\"core\":%u,\"seed\":%llu", name,
		       s->cfg.nodes, s->cfg.core, (unsigned long long)s->cfg.seed);
	else
		printf("%s: %u nodes, %u of them core, seed %llu\n", name, s->cfg.nodes,
		       s->cfg.core, (unsigned long long)s->cfg.seed);
	number(json, "simulated_s", (double)s->now_us / SIM_SECOND, "s", "simulated");
	times(json, "age_core", &f->age_core, "age of load at head and servers");
	if (f->age_core.n)
		number(json, "age_worst_node_s", f->worst_node_age_s, "s",
		       "  of the one that knew least, at its worst");
	times(json, "age_desktop", &f->age_desktop, "age of load at desktops");
	times(json, "age_best", &f->age_best, "age of a core member's 100 best");
	times(json, "suspected", &f->suspected, "death to first suspicion");
	times(json, "declared", &f->declared, "death to first declaration");
	times(json, "known", &f->known, "death to all core members knowing");
	if (f->known.n)
		number(json, "deaths", (double)f->known.n, "", "deaths");
	number(json, "false_suspicions", (double)f->false_suspicions, "",
	       "suspicions of living members");
	number(json, "false_deaths", (double)f->false_deaths, "", "deaths of living members");
	number(json, "deaths_by_desktop", (double)f->deaths_by_desktop, "",
	       "deaths declared by desktops");
	number(json, "steps_back", (double)f->steps_back, "", "incarnations that went back");
	number(json, "lies_believed", (double)f->lies_believed, "", "lies believed");
	for (size_t i = 0; i < ARRAY_LEN(views); i++)
		if (views[i].s != 0)
			number(json, views[i].key, views[i].s, "s", views[i].text);
	number(json, "peak_kbit_s", f->peak_bits / 1000, "kbit/s",
	       "sent, worst node in its worst 10 s");
	number(json, "mean_kbit_s", f->mean_bits / 1000, "kbit/s", "sent, mean of all nodes");
	number(json, "memory_core_kib", f->memory_core / 1024, "KiB", "memory of a core member");
	number(json, "memory_desktop_kib", f->memory_desktop / 1024, "KiB", "memory of a desktop");
	number(json, "packets", (double)s->packets, "", "packets");
	if (json)
		printf(",\"trace\":\"%016llx\"}\n", (unsigned long long)s->trace);
	else
		printf("  %-46s %016llx\n", "trace (same seed, same trace)",
		       (unsigned long long)s->trace);
}
