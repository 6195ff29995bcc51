/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lab_status.c - comosix lab status: the nodes of a lab */
#include <jansson.h>

#include "ctl/command.h"
#include "ctl/lab_ask.h"
#include "ctl/lab_members.h"

struct options {
	const char *name;
	bool json;
};

static const struct opt_spec specs[] = {
	{ "json", 0, OPT_FLAG, offsetof(struct options, json), NULL, "for programs" },
	{ "name", 0, OPT_STRING, offsetof(struct options, name), "LAB", "which lab (default lab)" },
};

static const struct opt_command status_command = {
	"comosix lab status",
	NULL,
	"the nodes of a lab, and what the head's comosixd thinks of them",
	"  comosix lab status\n  comosix lab status --json\n",
	specs,
	ARRAY_LEN(specs),
	false,
};

/* of a node as the head's comosixd knows it; "-" when it does not or is not there to be asked */
static const char *state_of(const struct lab_member *m, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(m[i].name, name))
			return m[i].state;
	return "-";
}

static void print_table(const struct pod_report *p, size_t n, const struct lab_member *m,
			size_t n_m)
{
	(void)printf("%-8s %-8s %-14s %-8s %-8s %-8s %s\n", "NODE", "ROLE", "ADDRESS", "STATE",
		     "MEMBER", "NETWORK", "RESTARTS");
	for (size_t i = 0; i < n; i++) {
		const char *net = p[i].cut ? "cut" : p[i].nat ? "nat" : "open";

		(void)printf("%-8s %-8s %-14s %-8s %-8s %-8s %u%s%s\n", p[i].name,
			     lab_role_name(p[i].role), p[i].address, p[i].state,
			     state_of(m, n_m, p[i].name), net, p[i].restarts,
			     p[i].failure[0] ? "  " : "", p[i].failure);
	}
}

static int print_json(const char *lab, const struct pod_report *p, size_t n,
		      const struct lab_member *m, size_t n_m)
{
	json_t *nodes = json_array();
	int r;

	for (size_t i = 0; i < n; i++)
		(void)json_array_append_new(
			nodes, json_pack("{s:s, s:s, s:s, s:s, s:s, s:b, s:b, s:i, s:s}", "name",
					 p[i].name, "role", lab_role_name(p[i].role), "address",
					 p[i].address, "state", p[i].state, "member",
					 state_of(m, n_m, p[i].name), "cut", (int)p[i].cut, "nat",
					 (int)p[i].nat, "restarts", (int)p[i].restarts, "failure",
					 p[i].failure));
	json_t *all = json_pack("{s:s, s:o}", "lab", lab, "nodes", nodes);

	r = !all || json_dumpf(all, stdout, JSON_INDENT(2)) < 0;
	(void)putchar('\n');
	json_decref(all);
	return r ? EXIT_ERROR : EXIT_ALL_WELL;
}

int cmd_lab_status(int argc, char **argv)
{
	struct options o = { .name = LAB_NAME_DEFAULT };
	AUTO_FREE struct pod_report *pods = NULL;
	AUTO_FREE struct lab_member *members = NULL;
	size_t n = 0, n_members = 0;
	int first, status;
	struct err e;

	if (!lab_options(&status_command, argc, argv, &o, 0, &first, &status))
		return status;
	if (!lab_is_root("comosix lab status"))
		return EXIT_REFUSED;
	status = lab_reports(o.name, &pods, &n);
	if (status)
		return status;
	/* a head that is off has no opinion */
	if (strcmp(pods[0].state, "off") != 0 &&
	    lab_members(o.name, "head", &members, &n_members, &e) < 0)
		n_members = 0;
	if (o.json)
		return print_json(o.name, pods, n, members, n_members);
	print_table(pods, n, members, n_members);
	return EXIT_ALL_WELL;
}
