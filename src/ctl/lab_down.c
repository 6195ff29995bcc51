/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lab_down.c - comosix lab down, list: take a lab away; which labs there are */
#include <dirent.h>
#include <errno.h>
#include <jansson.h>

#include "ctl/command.h"
#include "ctl/lab_ask.h"
#include "lab/record.h"
#include "os/fd.h"

struct options {
	const char *name;
	bool json;
};

static const struct opt_spec down_specs[] = {
	{ "name", 0, OPT_STRING, offsetof(struct options, name), "LAB", "which lab (default lab)" },
};

static const struct opt_command down_command = {
	"comosix lab down",
	NULL,
	"take a lab away, whatever state it is in; none there is well, too",
	"  comosix lab down\n",
	down_specs,
	ARRAY_LEN(down_specs),
	false,
};

int cmd_lab_down(int argc, char **argv)
{
	struct options o = { .name = LAB_NAME_DEFAULT };
	AUTO_CLOSE int lock = -1;
	struct lab_paths p;
	int first, status;
	struct err e;
	int r;

	if (!lab_options(&down_command, argc, argv, &o, 0, &first, &status))
		return status;
	if (lab_paths(o.name, &p, &e) < 0)
		return lab_say(EXIT_USAGE, "%s", e.text);
	if (!lab_is_root("comosix lab down"))
		return EXIT_REFUSED;
	r = record_lock(&lock, &e);
	if (!r)
		r = record_remove(&p, &e);
	if (r < 0)
		return lab_say(EXIT_ERROR, "%s", e.text);
	if (!r)
		(void)lab_say(0, "no lab '%s' was up; nothing to do", o.name);
	return EXIT_ALL_WELL;
}

static const struct opt_spec list_specs[] = {
	{ "json", 0, OPT_FLAG, offsetof(struct options, json), NULL, "for programs" },
};

static const struct opt_command list_command = {
	"comosix lab list",
	NULL,
	"the labs of this machine",
	"  comosix lab list\n",
	list_specs,
	ARRAY_LEN(list_specs),
	false,
};

/* up or dead, by the one test that 'lab down' uses */
static const char *state_of(const char *name)
{
	AUTO_CLOSE int pidfd = -1;
	struct lab_paths p;

	if (lab_paths(name, &p, NULL) < 0)
		return NULL;
	return record_supervisor(&p, &pidfd, NULL) < 0 ? "dead" : "up";
}

int cmd_lab_list(int argc, char **argv)
{
	json_t *labs = json_array();
	struct options o = { 0 };
	struct dirent *entry;
	int first, status;
	DIR *d;

	if (!lab_options(&list_command, argc, argv, &o, 0, &first, &status))
		return status;
	d = opendir(LAB_ROOT);
	while (d && (entry = readdir(d))) {
		const char *state = entry->d_name[0] == '.' ? NULL : state_of(entry->d_name);

		if (!state)
			continue;
		if (!o.json)
			(void)printf("%-32s %s\n", entry->d_name, state);
		(void)json_array_append_new(
			labs, json_pack("{s:s, s:s}", "name", entry->d_name, "state", state));
	}
	if (d)
		(void)closedir(d); /* read only */
	if (o.json)
		(void)json_dumpf(labs, stdout, JSON_INDENT(2));
	if (o.json)
		(void)putchar('\n');
	json_decref(labs);
	return EXIT_ALL_WELL;
}
