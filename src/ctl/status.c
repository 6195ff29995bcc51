/* SPDX-License-Identifier: GPL-2.0-or-later */
/* status.c - comosix status, nodes, node list: the cluster at a glance */
#include <errno.h>
#include <locale.h>

#include "ctl/ask.h"
#include "ctl/command.h"
#include "ctl/term.h"

#define BAR_CELLS 10
#define TEXT_MAX  (64 * 1024 * 1024)

struct status_options {
	bool json, watch, pending;
};

static const struct opt_spec status_specs[] = {
	{ "watch", 'w', OPT_FLAG, offsetof(struct status_options, watch), NULL,
	  "show again whenever something changes" },
	{ "json", 0, OPT_FLAG, offsetof(struct status_options, json), NULL, "print JSON" },
};

static const struct opt_spec list_specs[] = {
	{ "pending", 'p', OPT_FLAG, offsetof(struct status_options, pending), NULL,
	  "machines that wait to be let in" },
	{ "json", 0, OPT_FLAG, offsetof(struct status_options, json), NULL, "print JSON" },
};

static const struct opt_command status_command = {
	.name = "comosix status",
	.summary = "the cluster at a glance",
	.examples = "  comosix status\n  comosix status --watch\n  comosix status --json\n",
	.specs = status_specs,
	.n_specs = ARRAY_LEN(status_specs),
};

static const struct opt_command nodes_command = {
	.name = "comosix nodes",
	.summary = "list the nodes",
	.examples = "  comosix nodes\n  comosix nodes --json\n  comosix nodes --pending\n",
	.specs = list_specs,
	.n_specs = ARRAY_LEN(list_specs),
};

static const struct {
	const char *state;
	enum term_style style;
} states[] = {
	{ "alive", TERM_GOOD }, { "suspect", TERM_WARN }, { "dead", TERM_BAD },
	{ "left", TERM_DIM },	{ "unknown", TERM_DIM },  { "revoked", TERM_DIM },
};

static enum term_style style_of(const char *state)
{
	for (size_t i = 0; i < ARRAY_LEN(states); i++)
		if (!strcmp(states[i].state, state))
			return states[i].style;
	return TERM_PLAIN;
}

/* "███░░░░░░░  30%": used of total */
static int bar_cell(struct term_table *t, double used, double total)
{
	char bar[4 * BAR_CELLS + 4];
	double part = total > 0 ? used / total : 0;
	enum term_style style = part < 0.5 ? TERM_GOOD : part < 0.9 ? TERM_WARN : TERM_BAD;

	term_bar(part, BAR_CELLS, bar, sizeof(bar));
	return term_cell(t, style, "%s %3.0f%%", bar, part * 100);
}

static int node_row(struct term_table *t, const json_t *row)
{
	const json_t *load = json_object_get(row, "load");
	const char *state = ask_text(row, "state");
	const char *address = ask_text(row, "address");
	char memory[16];
	int r = term_cell(t, TERM_PLAIN, "%s", ask_text(row, "name"));

	r |= term_cell(t, TERM_PLAIN, "%s", ask_text(row, "role"));
	r |= term_cell(t, style_of(state), "%s", state);
	if (json_is_object(load)) {
		double cpus = (double)ask_number(load, "cpus");
		double bytes = (double)ask_number(load, "memory_bytes");

		term_size((uint64_t)bytes, memory, sizeof(memory));
		r |= term_cell(t, TERM_PLAIN, "%.0f", cpus);
		r |= bar_cell(t, (double)ask_number(load, "load_percent"), cpus * 100);
		r |= term_cell(t, TERM_PLAIN, "%s", memory);
		r |= bar_cell(t, bytes - (double)ask_number(load, "memory_free_bytes"), bytes);
		r |= term_cell(t, TERM_PLAIN, "%lld", (long long)ask_number(load, "guests"));
	} else {
		for (int i = 0; i < 5; i++)
			r |= term_cell(t, TERM_DIM, "-");
	}
	if (json_is_true(json_object_get(row, "relayed")))
		address = "relayed";
	r |= term_cell(t, TERM_DIM, "%s", *address ? address : "-");
	return r;
}

/* head, servers, desktops; then n2 before n10 */
static int by_role_and_name(const void *a, const void *b)
{
	static const char roles[] = "hsd"; /* first letters */
	const json_t *const *x = a, *const *y = b;
	const char *role_x = strchr(roles, *ask_text(*x, "role"));
	const char *role_y = strchr(roles, *ask_text(*y, "role"));

	if (role_x != role_y)
		return role_x < role_y ? -1 : 1;
	return strverscmp(ask_text(*x, "name"), ask_text(*y, "name"));
}

static int put_nodes(const json_t *answer, bool colors, struct buf *to)
{
	const json_t *rows = json_object_get(answer, "nodes");
	size_t n = json_array_size(rows);
	AUTO_FREE const json_t **sorted = calloc(n + 1, sizeof(json_t *));
	struct term_table t;
	int r = term_table_init(&t, "NODE|ROLE|STATE|-CPUS|LOAD|-MEMORY|USED|-GUESTS|ADDRESS");

	if (!sorted)
		r = -ENOMEM;
	for (size_t i = 0; sorted && i < n; i++)
		sorted[i] = json_array_get(rows, i);
	if (sorted)
		qsort(sorted, n, sizeof(json_t *), by_role_and_name);
	for (size_t i = 0; !r && i < n; i++)
		r = node_row(&t, sorted[i]);
	if (!r)
		r = term_table_put(&t, colors, to);
	term_table_done(&t);
	return r;
}

static int put_pending(const json_t *answer, bool colors, struct buf *to)
{
	struct term_table t;
	json_t *row;
	size_t i;
	int r = term_table_init(&t, "NAME|FROM|ASKED|KEY");

	json_array_foreach(json_object_get(answer, "joins"), i, row)
	{
		r |= term_cell(&t, TERM_WARN, "%s", ask_text(row, "name"));
		r |= term_cell(&t, TERM_PLAIN, "%s", ask_text(row, "source"));
		r |= term_cell(&t, TERM_PLAIN, "%s", ask_text(row, "asked"));
		r |= term_cell(&t, TERM_PLAIN, "%s", ask_text(row, "key_fingerprint"));
	}
	if (!r)
		r = term_table_put(&t, colors, to);
	term_table_done(&t);
	return r;
}

static int put_health(const json_t *health, bool colors, struct buf *to)
{
	static const char *const parts[] = { "store", "signer", "comosixd" };
	int r = buf_printf(to, "head    ");

	for (size_t i = 0; !r && i < ARRAY_LEN(parts); i++) {
		const char *s = ask_text(health, parts[i]);
		enum term_style style = strcmp(s, "ok") ? TERM_BAD : TERM_GOOD;

		r = buf_printf(to, "%s%s %s%s%s", i ? ", " : "", parts[i],
			       term_style_on(style, colors), s, term_style_off(style, colors));
	}
	return r ? r : buf_printf(to, "\n");
}

static int put_cluster(const json_t *c, bool colors, struct buf *to)
{
	const json_t *counts = json_object_get(c, "nodes");
	const char *between = "";
	int64_t pending = ask_number(c, "pending");
	int r = buf_printf(to, "%s%s%s  %s  CoMosix %s\nauthority %s\n",
			   term_style_on(TERM_BOLD, colors), ask_text(c, "name"),
			   term_style_off(TERM_BOLD, colors), ask_text(c, "head_url"),
			   ask_text(c, "version"), ask_text(c, "fingerprint"));

	if (!r)
		r = put_health(json_object_get(c, "health"), colors, to);
	if (!r)
		r = buf_printf(to, "nodes   ");
	for (size_t i = 0; !r && i < ARRAY_LEN(states); i++) {
		int64_t n = ask_number(counts, states[i].state);

		if (!n)
			continue;
		r = buf_printf(to, "%s%s%lld %s%s", between, term_style_on(states[i].style, colors),
			       (long long)n, states[i].state,
			       term_style_off(states[i].style, colors));
		between = ", ";
	}
	if (!r)
		r = buf_printf(to, "\n");
	if (!r && pending)
		r = buf_printf(to, "%s%lld machine%s to be let in%s: comosix node list --pending\n",
			       term_style_on(TERM_WARN, colors), (long long)pending,
			       pending == 1 ? " waits" : "s wait",
			       term_style_off(TERM_WARN, colors));
	return r ? r : buf_printf(to, "\n");
}

struct status {
	struct api_client *c;
	const struct status_options *o;
	struct err e;
	int result; /* of the last look */
};

static int look(struct status *s)
{
	bool colors = term_colors();
	json_t *cluster = NULL, *nodes = NULL;
	struct buf b;
	int r = api_call(s->c, "GET", "/cluster", NULL, &cluster, &s->e);

	if (!r)
		r = api_call(s->c, "GET", "/nodes", NULL, &nodes, &s->e);
	if (!r && s->o->json) {
		(void)json_object_set(cluster, "list", json_object_get(nodes, "nodes"));
		(void)ask_print_json(json_incref(cluster)); /* nothing to do about a full pipe */
	} else if (!r) {
		buf_init(&b, TEXT_MAX);
		r = s->o->watch && colors ? buf_printf(&b, "\033[H\033[2J\033[3J") : 0;
		if (!r)
			r = put_cluster(cluster, colors, &b);
		if (!r)
			r = put_nodes(nodes, colors, &b);
		if (r < 0)
			(void)err_set(&s->e, r, "out of memory");
		else
			(void)fputs(buf_text(&b), stdout);
		(void)fflush(stdout); /* the same */
		buf_done(&b);
	}
	json_decref(cluster);
	json_decref(nodes);
	return r;
}

static bool on_change(void *owner, const char *type, const json_t *data)
{
	struct status *s = owner;
	struct status other = { .o = s->o };

	(void)type;
	(void)data;
	/* the stream holds its own connection; this look wants another */
	s->result = api_open_operator(&other.c, &s->e);
	if (!s->result)
		s->result = look(&other);
	if (s->result < 0 && other.e.text[0])
		s->e = other.e;
	api_close(other.c);
	return !s->result;
}

int cmd_status(int argc, char **argv)
{
	struct status_options o = { 0 };
	struct status s = { .o = &o };
	int64_t after = -1;
	long status = 0;
	int first, r = ask_options(&status_command, argc, argv, &o, 0, 0, &first);

	if (r >= 0)
		return r;
	(void)setlocale(LC_CTYPE, ""); /* for block characters; "C" is as good */
	r = api_open_operator(&s.c, &s.e);
	if (!r)
		r = look(&s);
	if (!r && o.watch) {
		r = api_stream(s.c, &after, true, on_change, &s, &s.e);
		if (!r)
			r = s.result;
	}
	if (s.c)
		status = api_status(s.c);
	api_close(s.c);
	if (r < 0)
		(void)fprintf(stderr, "comosix status: %s\n", s.e.text);
	return ask_exit_status(r, status);
}

int cmd_nodes(int argc, char **argv)
{
	struct status_options o = { 0 };
	json_t *answer;
	struct buf b;
	int first, r = ask_options(&nodes_command, argc, argv, &o, 0, 0, &first);

	if (r >= 0)
		return r;
	(void)setlocale(LC_CTYPE, ""); /* for block characters; "C" is as good */
	r = ask_head(nodes_command.name, "GET", o.pending ? "/joins" : "/nodes", NULL, &answer);
	if (r)
		return r;
	if (o.json)
		return ask_print_json(answer);
	buf_init(&b, TEXT_MAX);
	if (o.pending && !json_array_size(json_object_get(answer, "joins")))
		(void)fprintf(stderr, "Nobody waits to be let in.\n");
	else
		r = (o.pending ? put_pending : put_nodes)(answer, term_colors(), &b);
	if (!r)
		(void)fputs(buf_text(&b), stdout);
	buf_done(&b);
	json_decref(answer);
	return r < 0 || fflush(stdout) ? EXIT_ERROR : EXIT_ALL_WELL;
}
