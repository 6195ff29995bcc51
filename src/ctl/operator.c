/* SPDX-License-Identifier: GPL-2.0-or-later */
/* operator.c - comosix operator list|revoke */
#include "ctl/ask.h"
#include "ctl/command.h"
#include "ctl/term.h"

struct operator_options {
	bool force, json;
};

static const struct opt_spec list_specs[] = {
	{ "json", 0, OPT_FLAG, offsetof(struct operator_options, json), NULL, "print JSON" },
};

static const struct opt_spec revoke_specs[] = {
	{ "force", 0, OPT_FLAG, offsetof(struct operator_options, force), NULL,
	  "also the last one that is valid" },
	{ "json", 0, OPT_FLAG, offsetof(struct operator_options, json), NULL, "print JSON" },
};

static const struct opt_command list_command = {
	.name = "comosix operator list",
	.summary = "list the operators' credentials",
	.examples = "  comosix operator list\n",
	.specs = list_specs,
	.n_specs = ARRAY_LEN(list_specs),
};

static const struct opt_command revoke_command = {
	.name = "comosix operator revoke",
	.args = "SERIAL",
	.summary = "take an operator's credential back: nobody can steer the cluster with it",
	.examples = "  comosix-headd operator     (on the head: makes another one first)\n"
		    "  comosix operator list\n"
		    "  comosix operator revoke 5c0f7e21a9d34b6688f2e5d10c3b4a97\n",
	.specs = revoke_specs,
	.n_specs = ARRAY_LEN(revoke_specs),
};

static int credential_row(struct term_table *t, const json_t *row)
{
	bool own = json_is_true(json_object_get(row, "own"));
	const char *state = ask_text(row, "state"), *used = ask_text(row, "last_used");
	enum term_style style = !strcmp(state, "valid") ? TERM_GOOD : TERM_DIM;
	int r = term_cell(t, TERM_PLAIN, "%s", ask_text(row, "serial"));

	r |= term_cell(t, TERM_PLAIN, "%s", ask_text(row, "name"));
	r |= term_cell(t, style, "%s%s", state, own ? ", this one" : "");
	r |= term_cell(t, TERM_PLAIN, "%s", ask_text(row, "issued"));
	r |= term_cell(t, TERM_PLAIN, "%s", ask_text(row, "expires"));
	r |= term_cell(t, TERM_PLAIN, "%s", *used ? used : "never");
	return r;
}

int cmd_operator_list(int argc, char **argv)
{
	struct operator_options o = { 0 };
	struct term_table t;
	json_t *answer, *row;
	size_t i;
	int first, r = ask_options(&list_command, argc, argv, &o, 0, 0, &first);

	if (r >= 0)
		return r;
	r = ask_head(list_command.name, "GET", "/operators", NULL, &answer);
	if (r)
		return r;
	if (o.json)
		return ask_print_json(answer);
	r = term_table_init(&t, "SERIAL|NAME|STATE|ISSUED|EXPIRES|LAST USED");
	json_array_foreach(json_object_get(answer, "operators"), i, row)
		r |= credential_row(&t, row);
	if (!r)
		r = term_table_print(&t);
	term_table_done(&t);
	json_decref(answer);
	return r ? EXIT_ERROR : EXIT_ALL_WELL;
}

int cmd_operator_revoke(int argc, char **argv)
{
	struct operator_options o = { 0 };
	json_t *body, *answer;
	char path[128];
	int first, r = ask_options(&revoke_command, argc, argv, &o, 1, 1, &first);

	if (r >= 0)
		return r;
	r = ask_path(revoke_command.name, "/operators/", argv[first], "/revoke", path,
		     sizeof(path));
	if (r)
		return r;
	body = json_pack("{s:b}", "force", (int)o.force);
	r = ask_head(revoke_command.name, "POST", path, body, &answer);
	json_decref(body);
	if (r)
		return r;
	if (o.json)
		return ask_print_json(answer);
	(void)fprintf(stderr, "%s is revoked%s\n", ask_text(answer, "serial"),
		      json_is_true(json_object_get(answer, "spreading"))
			      ? ""
			      : "; the nodes hear of it as soon as comosixd runs on the head");
	json_decref(answer);
	return EXIT_ALL_WELL;
}
