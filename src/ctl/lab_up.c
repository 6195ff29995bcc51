/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lab_up.c - comosix lab up: a cluster in namespaces on this machine */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <unistd.h>

#include "base/hostlist.h"
#include "base/parse.h"
#include "ctl/command.h"
#include "ctl/lab_ask.h"
#include "ctl/lab_members.h"
#include "lab/record.h"
#include "os/clock.h"
#include "os/fd.h"

#define NODES_DEFAULT	   4
#define TIMEOUT_DEFAULT_MS 120000

struct options {
	const char *name, *nat_nodes;
	uint32_t nodes, servers;
	bool nat, bare;
	double cpus;
	uint64_t memory, timeout_ms;
};

static const struct opt_spec specs[] = {
	{ "nodes", 'n', OPT_U32, offsetof(struct options, nodes), "N", "n1 ... nN (default 4)" },
	{ "servers", 0, OPT_U32, offsetof(struct options, servers), "K",
	  "the first K of them are servers, the others desktops" },
	{ "nat", 0, OPT_FLAG, offsetof(struct options, nat), NULL,
	  "desktops sit behind a router that lets nothing in" },
	{ "nat-nodes", 0, OPT_STRING, offsetof(struct options, nat_nodes), "LIST",
	  "only these do: n3 or n[2-4]" },
	{ "cpus", 0, OPT_DOUBLE, offsetof(struct options, cpus), "C", "of each node: 1, 0.5" },
	{ "memory", 0, OPT_SIZE, offsetof(struct options, memory), "SIZE", "of each node: 512M" },
	{ "bare", 0, OPT_FLAG, offsetof(struct options, bare), NULL,
	  "machines and network only, none of our services" },
	{ "timeout", 0, OPT_DURATION, offsetof(struct options, timeout_ms), "TIME",
	  "give up after so long (default 2m)" },
	{ "name", 0, OPT_STRING, offsetof(struct options, name), "LAB",
	  "for several labs at once (default lab)" },
};

static const struct opt_command up_command = {
	"comosix lab up",
	NULL,
	"start a cluster in namespaces on this machine",
	"  comosix lab up --nodes 4\n"
	"  comosix lab up --nodes 8 --servers 2 --nat --cpus 1 --memory 512M\n",
	specs,
	ARRAY_LEN(specs),
	false,
};

/* --nat-nodes as a yes for each node; Return: 0 or the exit status */
static int parse_nat(const struct options *o, bool *nat)
{
	struct hostlist h;
	struct err e;
	int status = 0;

	if (hostlist_parse(o->nat_nodes, &h, &e) < 0)
		return lab_say(EXIT_USAGE, "--nat-nodes: %s", e.text);
	for (size_t i = 0; i < h.n && !status; i++) {
		uint32_t number;

		if (h.names[i][0] != 'n' || parse_u32(h.names[i] + 1, &number) < 0 || !number ||
		    number > o->nodes)
			status = lab_say(EXIT_USAGE, "--nat-nodes: there is no node '%s' among %u",
					 h.names[i], o->nodes);
		else
			nat[number - 1] = true;
	}
	hostlist_done(&h);
	return status;
}

static int check(const struct options *o)
{
	if (!o->nodes || o->nodes > LAB_NODES_MAX)
		return lab_say(EXIT_USAGE, "--nodes: 1 to %d", LAB_NODES_MAX);
	if (o->servers > o->nodes)
		return lab_say(EXIT_USAGE, "--servers: at most as many as --nodes");
	if (o->cpus > 1024)
		return lab_say(EXIT_USAGE, "--cpus: at most 1024");
	return 0;
}

/* directory of this very program */
static int find_programs(char *to, size_t max, struct err *e)
{
	ssize_t n = readlink("/proc/self/exe", to, max - 1);
	char *slash;

	if (n < 0)
		return err_set(e, -errno, "/proc/self/exe: %s", strerror(errno));
	to[n] = '\0';
	slash = strrchr(to, '/');
	if (slash)
		*slash = '\0';
	return 0;
}

/* record, then supervisor; a dead lab of the name is swept first */
static int found(const struct lab_plan *plan, int *ret_fd)
{
	AUTO_CLOSE int lock = -1, pidfd = -1;
	const struct lab_paths *p = &plan->paths;
	char text[128];
	struct err e;
	int r = record_lock(&lock, &e);

	if (!r && record_supervisor(p, &pidfd, NULL) == 0)
		return lab_say(
			EXIT_REFUSED,
			"lab '%s' is up already; see 'comosix lab status --name %s', or take it "
			"away: comosix lab down --name %s",
			p->name, p->name, p->name);
	if (!r) {
		r = record_sweep(p, &e);
		/* the sweep may have taken the directory that is locked */
		fd_close(&lock);
		if (!r)
			r = record_lock(&lock, &e);
	}
	(void)snprintf(text, sizeof(text), "lab %s\nnodes %u\ncgroup %s\n", p->name, plan->nodes,
		       p->cgroup);
	if (!r)
		r = record_write(p, text, &e);
	if (!r)
		r = supervisor_start(plan, lock, ret_fd, &e);
	return r < 0 ? lab_say(EXIT_ERROR, "%s", e.text) : 0;
}

/* PROGRESS to the terminal until all services are ready */
static int await_services(int fd, const struct options *o, uint64_t deadline_ms)
{
	struct channel_msg m;

	for (;;) {
		uint64_t now = clock_boot_ms();
		int r = channel_wait(fd, now < deadline_ms ? (int)(deadline_ms - now) : 0, &m);

		if (r == -ETIMEDOUT)
			return lab_say(EXIT_TIMED_OUT,
				       "not up after %u s, taken down; --timeout gives it longer",
				       (unsigned int)(o->timeout_ms / 1000));
		if (r != 1)
			return lab_say(EXIT_ERROR, "the lab was taken down while it came up");
		channel_msg_done(&m);
		if (m.type == SAY_FAILED)
			return lab_say(EXIT_ERROR, "%s", m.text);
		if (m.type == SAY_DONE)
			return 0;
		if (!strcmp(m.text, "head"))
			lab_progress("head is ready", 0, 0);
		else
			lab_progress("nodes are ready", (uint32_t)m.number, o->nodes);
	}
}

/* all know all */
static int await_members(const struct options *o, uint64_t deadline_ms)
{
	char node[16] = "head";
	struct err e;

	for (uint32_t i = 0; i <= o->nodes; i++) {
		if (i)
			(void)snprintf(node, sizeof(node), "n%u", i);
		if (lab_members_wait(o->name, node, o->nodes + 1, deadline_ms, &e) < 0)
			return lab_say(EXIT_TIMED_OUT, "%s; the lab stays up for a look", e.text);
		lab_progress("nodes know all others", i, o->nodes);
	}
	return 0;
}

/* the lab ends by itself when we let go of it; here its end is waited for */
static void give_up(const struct lab_plan *plan, int *fd)
{
	AUTO_CLOSE int lock = -1;
	struct err e;

	fd_close(fd);
	if (record_lock(&lock, &e) < 0 || record_remove(&plan->paths, &e) < 0)
		(void)lab_say(0, "%s; try 'comosix lab down'", e.text);
}

static void say_what_next(const struct options *o, uint64_t started_ms)
{
	char name[LAB_NAME_MAX + 16] = "";

	if (strcmp(o->name, LAB_NAME_DEFAULT) != 0)
		(void)snprintf(name, sizeof(name), " --name %s", o->name);
	(void)fprintf(stderr, "Lab '%s' is up: a head and %u node%s, in %.1f s. Try:\n", o->name,
		      o->nodes, o->nodes == 1 ? "" : "s",
		      (double)(clock_boot_ms() - started_ms) / 1000);
	if (!o->bare)
		(void)fprintf(stderr, "  comosix lab exec%s head -- comosix status\n", name);
	(void)fprintf(stderr,
		      "  comosix lab status%s\n  comosix lab exec%s n1 -- hostname\n"
		      "  comosix lab kill%s n1\n  comosix lab down%s\n",
		      name, name, name, name);
}

int cmd_lab_up(int argc, char **argv)
{
	struct options o = { .name = LAB_NAME_DEFAULT,
			     .nodes = NODES_DEFAULT,
			     .timeout_ms = TIMEOUT_DEFAULT_MS };
	uint64_t started_ms = clock_boot_ms();
	bool nat[LAB_NODES_MAX] = { false };
	AUTO_CLOSE int fd = -1;
	char programs[PATH_MAX];
	struct lab_plan plan;
	int first, status;
	struct err e;

	if (!lab_options(&up_command, argc, argv, &o, 0, &first, &status))
		return status;
	status = check(&o);
	if (!status && o.nat_nodes)
		status = parse_nat(&o, nat);
	if (status)
		return status;
	plan = (struct lab_plan){ .nodes = o.nodes,
				  .servers = o.servers,
				  .nat = o.nat,
				  .nat_nodes = o.nat_nodes ? nat : NULL,
				  .bare = o.bare,
				  .limits = { o.cpus, o.memory },
				  .programs = programs };
	if (lab_paths(o.name, &plan.paths, &e) < 0)
		return lab_say(EXIT_USAGE, "%s", e.text);
	if (!lab_is_root("comosix lab up"))
		return EXIT_REFUSED;
	if (find_programs(programs, sizeof(programs), &e) < 0)
		return lab_say(EXIT_ERROR, "%s", e.text);
	status = found(&plan, &fd);
	if (status)
		return status;
	status = await_services(fd, &o, started_ms + o.timeout_ms);
	if (status)
		give_up(&plan, &fd);
	if (!status && !o.bare)
		status = await_members(&o, started_ms + o.timeout_ms);
	if (!status)
		say_what_next(&o, started_ms);
	return status;
}
