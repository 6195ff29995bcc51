/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mosctl.c - ask about, and steer, this node's part in the cluster */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/parse.h"
#include "classic/ask.h"
#include "classic/line.h"
#include "ctl/term.h"

struct options {
	bool json;
};

static const struct opt_spec specs[] = {
	{ "json", 0, OPT_FLAG, offsetof(struct options, json), NULL, "print JSON" },
};

static const struct opt_command self = {
	.name = "mosctl",
	.args = "whereis PID",
	.summary = "ask about this node's part in the cluster",
	.examples = "  mosctl whereis 4711           on which node the process runs\n"
		    "  mosctl whereis --json 4711\n",
	.specs = specs,
	.n_specs = ARRAY_LEN(specs),
};

static int print_place(const struct options *o, uint32_t pid, const char *home, const char *node,
		       const char *state)
{
	int r;

	if (o->json) {
		json_t *j = json_pack("{s:I, s:s, s:s, s:s}", "pid", (json_int_t)pid, "home", home,
				      "node", node, "state", state);

		r = j ? json_dumpf(j, stdout, JSON_INDENT(2)) : -1;
		json_decref(j);
		if (!r)
			(void)putchar('\n');
	} else {
		r = puts(node) < 0;
	}
	return r || fflush(stdout) ? EXIT_ERROR : EXIT_ALL_WELL;
}

static int whereis(const struct options *o, char **argv)
{
	AUTO_FREE struct ask_move *moves = NULL;
	char node[ASK_NODE_MAX], path[32];
	struct err e = { 0 };
	struct stat st;
	uint32_t pid;
	size_t n = 0;
	int status, r;

	if (parse_u32(argv[0], &pid) < 0 || !pid || pid > INT32_MAX)
		return line_complain(&self, EXIT_USAGE, "'%s' is no process number", argv[0]);
	r = ask_moves(&moves, &n, &status, &e);
	if (!r)
		r = ask_self(node, &status, &e);
	if (r < 0)
		return line_complain(&self, status, "%s", e.text);
	for (size_t i = 0; i < n; i++)
		if (!moves[i].guest && (uint32_t)moves[i].pid == pid) {
			bool there = ask_is_away(&moves[i]);

			return print_place(o, pid, moves[i].home,
					   there ? moves[i].node : moves[i].home,
					   ask_state_name(&moves[i]));
		}
	(void)snprintf(path, sizeof(path), "/proc/%u", pid);
	if (stat(path, &st) < 0)
		return line_complain(&self, EXIT_NOT_FOUND, "there is no process %u here", pid);
	if (geteuid() && st.st_uid != geteuid())
		return line_complain(&self, EXIT_REFUSED,
				     "process %u is not yours; where it runs is told to its owner "
				     "and to root",
				     pid);
	return print_place(o, pid, node, node, "home");
}

/* verb, how many words it wants */
static const struct verb {
	const char *name;
	int words;
	int (*run)(const struct options *o, char **argv);
} verbs[] = {
	{ "whereis", 1, whereis },
};

int main(int argc, char **argv)
{
	struct options o = { 0 };
	int first, r = line_options(&self, argc, argv, &o, 1, -1, &first);

	if (r >= 0)
		return r;
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
		if (strcmp(verbs[i].name, argv[first]) != 0)
			continue;
		if (argc - first - 1 != verbs[i].words)
			return line_complain(&self, EXIT_USAGE,
					     "usage: mosctl %s; see 'mosctl "
					     "--help'",
					     self.args);
		return verbs[i].run(&o, argv + first + 1);
	}
	return line_complain(&self, EXIT_USAGE, "no verb '%s'; see 'mosctl --help'", argv[first]);
}
