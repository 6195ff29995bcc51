/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lab_node.c - comosix lab kill, start, cut, heal, add: change a lab that is up */
#include "ctl/lab_ask.h"

#include <jansson.h>

#include "ctl/ask.h"
#include "ctl/command.h"

struct options {
	const char *name;
};

static const struct opt_spec specs[] = {
	{ "name", 0, OPT_STRING, offsetof(struct options, name), "LAB", "which lab (default lab)" },
};

static const struct opt_command kill_command = {
	"comosix lab kill",
	"NODE",
	"cut a node's power: all its processes end at once",
	"  comosix lab kill n2\n  comosix lab start n2\n",
	specs,
	ARRAY_LEN(specs),
	false,
};
static const struct opt_command start_command = {
	"comosix lab start",
	"NODE",
	"switch a node on again; its disk is as it was",
	"  comosix lab start n2\n",
	specs,
	ARRAY_LEN(specs),
	false,
};
static const struct opt_command cut_command = {
	"comosix lab cut",
	"NODE",
	"cut a node's network: silence, no connection is closed",
	"  comosix lab cut n2\n  comosix lab heal n2\n",
	specs,
	ARRAY_LEN(specs),
	false,
};
static const struct opt_command heal_command = {
	"comosix lab heal", "NODE", "join a cut network again", "  comosix lab heal n2\n", specs,
	ARRAY_LEN(specs),   false,
};

static int change(const struct opt_command *cmd, int argc, char **argv, enum lab_message type)
{
	struct options o = { .name = LAB_NAME_DEFAULT };
	struct channel_msg m;
	int first, status;

	if (!lab_options(cmd, argc, argv, &o, 1, &first, &status))
		return status;
	if (!lab_is_root(cmd->name))
		return EXIT_REFUSED;
	status = lab_ask(o.name, type, 0, argv[first], &m);
	if (!status)
		channel_msg_done(&m);
	return status;
}

int cmd_lab_kill(int argc, char **argv)
{
	return change(&kill_command, argc, argv, SAY_KILL);
}

int cmd_lab_start(int argc, char **argv)
{
	return change(&start_command, argc, argv, SAY_START);
}

int cmd_lab_cut(int argc, char **argv)
{
	return change(&cut_command, argc, argv, SAY_CUT);
}

int cmd_lab_heal(int argc, char **argv)
{
	return change(&heal_command, argc, argv, SAY_HEAL);
}

struct add_options {
	const char *name, *role;
	uint32_t count;
	bool nat, json;
};

static const struct opt_spec add_specs[] = {
	{ "count", 'n', OPT_U32, offsetof(struct add_options, count), "N", "how many (default 1)" },
	{ "role", 0, OPT_STRING, offsetof(struct add_options, role), "ROLE",
	  "desktop or server (default desktop)" },
	{ "nat", 0, OPT_FLAG, offsetof(struct add_options, nat), NULL,
	  "behind a router that lets nothing in" },
	{ "json", 0, OPT_FLAG, offsetof(struct add_options, json), NULL, "for programs" },
	{ "name", 0, OPT_STRING, offsetof(struct add_options, name), "LAB",
	  "which lab (default lab)" },
};

static const struct opt_command add_command = {
	"comosix lab add",
	NULL,
	"add nodes to a lab that is up, and print their names",
	"  comosix lab add\n  comosix lab add --count 2 --role server\n",
	add_specs,
	ARRAY_LEN(add_specs),
	false,
};

/* nodes are numbered in the order they are added */
static int print_added(const struct add_options *o, uint32_t first)
{
	json_t *names = json_array(), *all;
	char name[16];

	for (uint32_t i = first; i < first + o->count; i++) {
		(void)snprintf(name, sizeof(name), "n%u", i);
		if (!o->json)
			(void)puts(name);
		else
			(void)json_array_append_new(names, json_string(name)); /* NULL: one less */
	}
	if (!o->json) {
		json_decref(names);
		return fflush(stdout) ? EXIT_ERROR : EXIT_ALL_WELL;
	}
	all = json_pack("{s:s, s:o}", "lab", o->name, "nodes", names);
	return all ? ask_print_json(all) : EXIT_ERROR;
}

int cmd_lab_add(int argc, char **argv)
{
	struct add_options o = { .name = LAB_NAME_DEFAULT, .role = "desktop", .count = 1 };
	bool server, desktop;
	struct channel_msg m;
	int first, status;
	char flags[2];

	if (!lab_options(&add_command, argc, argv, &o, 0, &first, &status))
		return status;
	server = !strcmp(o.role, lab_role_name(LAB_SERVER));
	desktop = !strcmp(o.role, lab_role_name(LAB_DESKTOP));
	if (!server && !desktop)
		return lab_say(EXIT_USAGE, "--role: '%s' is neither desktop nor server", o.role);
	if (!o.count || o.count > LAB_NODES_MAX)
		return lab_say(EXIT_USAGE, "--count: 1 to %d", LAB_NODES_MAX);
	if (!lab_is_root("comosix lab add"))
		return EXIT_REFUSED;
	flags[0] = (char)('0' + (server ? LAB_ADD_SERVER : 0) + (o.nat ? LAB_ADD_NAT : 0));
	flags[1] = '\0';
	status = lab_ask(o.name, SAY_ADD, (int)o.count, flags, &m);
	if (status)
		return status;
	channel_msg_done(&m);
	return print_added(&o, (uint32_t)m.number);
}
