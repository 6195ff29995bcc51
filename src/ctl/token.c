/* SPDX-License-Identifier: GPL-2.0-or-later */
/* token.c - comosix token create|list|revoke */
#include "ctl/ask.h"
#include "ctl/command.h"
#include "ctl/term.h"

struct create_options {
	uint32_t count;
	uint64_t expires_ms;
	const char *role, *network, *note;
	bool json;
};

static const struct opt_spec create_specs[] = {
	{ "count", 'n', OPT_U32, offsetof(struct create_options, count), "N",
	  "machines that may join with it (1)" },
	{ "expires", 'e', OPT_DURATION, offsetof(struct create_options, expires_ms), "DURATION",
	  "how long it is good: 10m, 8h, 7d (10m)" },
	{ "role", 'r', OPT_STRING, offsetof(struct create_options, role), "ROLE",
	  "what they become: desktop or server (desktop)" },
	{ "network", 0, OPT_STRING, offsetof(struct create_options, network), "NET",
	  "only machines in this network: 10.0.0.0/8" },
	{ "note", 0, OPT_STRING, offsetof(struct create_options, note), "TEXT",
	  "what it is for, to be shown in lists" },
	{ "json", 0, OPT_FLAG, offsetof(struct create_options, json), NULL, "print JSON" },
};

static const struct opt_command create_command = {
	.name = "comosix token create",
	.summary = "make a secret that lets machines join",
	.examples = "  comosix token create\n"
		    "  comosix token create --count 40 --expires 8h --network 10.1.0.0/16\n"
		    "  comosix token create --role server\n",
	.specs = create_specs,
	.n_specs = ARRAY_LEN(create_specs),
};

static const struct opt_spec json_specs[] = {
	{ "json", 0, OPT_FLAG, 0, NULL, "print JSON" },
};

static const struct opt_command list_command = {
	.name = "comosix token list",
	.summary = "list tokens; their secrets are not kept",
	.examples = "  comosix token list\n",
	.specs = json_specs,
	.n_specs = ARRAY_LEN(json_specs),
};

static const struct opt_command revoke_command = {
	.name = "comosix token revoke",
	.args = "NUMBER",
	.summary = "take a token back; who joined with it stays",
	.examples = "  comosix token revoke 3\n",
};

int cmd_token_create(int argc, char **argv)
{
	struct create_options o = {
		.count = 1, .expires_ms = 600000, .role = "desktop", .network = "", .note = ""
	};
	json_t *body, *answer;
	int first, r = ask_options(&create_command, argc, argv, &o, 0, 0, &first);

	if (r >= 0)
		return r;
	body = json_pack("{s:I, s:I, s:s, s:s, s:s}", "count", (json_int_t)o.count, "expires_s",
			 (json_int_t)(o.expires_ms / 1000), "role", o.role, "network", o.network,
			 "note", o.note);
	if (!body) {
		(void)fprintf(stderr, "comosix token create: the note is no UTF-8 text\n");
		return EXIT_USAGE;
	}
	r = ask_head(create_command.name, "POST", "/tokens", body, &answer);
	json_decref(body);
	if (r)
		return r;
	if (o.json)
		return ask_print_json(answer);
	(void)printf("%s\n", ask_text(answer, "token"));
	(void)fprintf(stderr,
		      "Good for %u %s%s until %s; shown only now. On the machine:\n"
		      "  comosix join --head %s --token TOKEN\n",
		      o.count, o.role, o.count > 1 ? "s" : "", ask_text(answer, "expires"),
		      ask_text(answer, "head_url"));
	json_decref(answer);
	return EXIT_ALL_WELL;
}

int cmd_token_list(int argc, char **argv)
{
	struct term_table t;
	bool json = false;
	json_t *answer, *row;
	size_t i;
	int first, r = ask_options(&list_command, argc, argv, &json, 0, 0, &first);

	if (r >= 0)
		return r;
	r = ask_head(list_command.name, "GET", "/tokens", NULL, &answer);
	if (r)
		return r;
	if (json)
		return ask_print_json(answer);
	if (!json_array_size(json_object_get(answer, "tokens")))
		(void)fprintf(stderr,
			      "There are no tokens; make one with 'comosix token create'.\n");
	r = term_table_init(&t, "-TOKEN|STATE|ROLE|-USED|EXPIRES|NETWORK|NOTE");
	json_array_foreach(json_object_get(answer, "tokens"), i, row)
	{
		bool open = !strcmp(ask_text(row, "state"), "open");
		const char *network = ask_text(row, "network");

		r |= term_cell(&t, TERM_PLAIN, "%lld", (long long)ask_number(row, "id"));
		r |= term_cell(&t, open ? TERM_GOOD : TERM_DIM, "%s", ask_text(row, "state"));
		r |= term_cell(&t, TERM_PLAIN, "%s", ask_text(row, "role"));
		r |= term_cell(&t, TERM_PLAIN, "%lld of %lld", (long long)ask_number(row, "used"),
			       (long long)ask_number(row, "count"));
		r |= term_cell(&t, TERM_PLAIN, "%s", ask_text(row, "expires"));
		r |= term_cell(&t, TERM_PLAIN, "%s", *network ? network : "any");
		r |= term_cell(&t, TERM_PLAIN, "%s", ask_text(row, "note"));
	}
	if (!r)
		r = term_table_print(&t);
	term_table_done(&t);
	json_decref(answer);
	return r ? EXIT_ERROR : EXIT_ALL_WELL;
}

int cmd_token_revoke(int argc, char **argv)
{
	char path[128];
	int first, r = ask_options(&revoke_command, argc, argv, NULL, 1, 1, &first);

	if (r >= 0)
		return r;
	r = ask_path(revoke_command.name, "/tokens/", argv[first], "", path, sizeof(path));
	return r ? r : ask_head(revoke_command.name, "DELETE", path, NULL, NULL);
}
