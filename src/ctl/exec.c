/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exec.c - comosix exec: run a command on nodes as the calling user */
#include <errno.h>
#include <limits.h>
#include <unistd.h>

#include "base/opt.h"
#include "ctl/command.h"
#include "ctl/exec_report.h"
#include "ctl/exec_run.h"
#include "ctl/exec_targets.h"
#include "ctl/exec_tty.h"
#include "net/proof.h"

#define PARALLEL_DEFAULT 64
#define PARALLEL_MAX	 1024
#define ENV_MAX		 64
#define UID_USER_MIN	 1000 /* below, another node wants the operator's word */

struct options {
	bool tty, no_tty, label, no_label, json;
	const char *input, *directory;
	uint64_t timeout_ms;
	uint32_t parallel;
};

#define AT(field) offsetof(struct options, field)

static const struct opt_spec specs[] = {
	{ "tty", 't', OPT_FLAG, AT(tty), NULL, "give the command a terminal (one node)" },
	{ "no-tty", 'T', OPT_FLAG, AT(no_tty), NULL, "no terminal, even when called from one" },
	{ "stdin", 0, OPT_STRING, AT(input), "all|none",
	  "who gets our input, when not the only node" },
	{ "label", 'l', OPT_FLAG, AT(label), NULL,
	  "name the node before each line, for one node too" },
	{ "no-label", 'L', OPT_FLAG, AT(no_label), NULL,
	  "whole lines of all nodes, without names" },
	{ "directory", 'd', OPT_STRING, AT(directory), "DIR",
	  "start there, not in the present directory" },
	{ "timeout", 0, OPT_DURATION, AT(timeout_ms), "TIME",
	  "end what runs longer: 30s, 10m, 2h" },
	{ "parallel", 'p', OPT_U32, AT(parallel), "N", "at most N nodes at a time (64)" },
	{ "json", 0, OPT_FLAG, AT(json), NULL,
	  "print one object with each node's status and output" },
};

static const struct opt_command self = {
	.name = "comosix exec",
	.args = "NODES [--] COMMAND [ARGUMENTS]",
	.summary = "run a command on nodes, as yourself",
	.examples = "  comosix exec n1 -- uptime\n"
		    "  comosix exec 'n[1-40,!7]' -- df -h /tmp\n"
		    "  comosix exec @alive,!head -- sh -c 'nproc; free -m'\n"
		    "  comosix exec n3 -- top                 with a terminal, as everywhere\n"
		    "  comosix exec --stdin all @servers -- tee /tmp/motd <motd\n"
		    "\n"
		    "Groups: @all @alive @servers @desktops. Exit status: one node: the command's "
		    "own, 125 when\n"
		    "it is not known; several: 0 all well, 3 some failed. 4 no such node, 5 "
		    "refused, 6 timed out.\n",
	.specs = specs,
	.n_specs = ARRAY_LEN(specs),
	.stop_at_word = true,
};

static int complain(int status, const char *text)
{
	(void)fprintf(stderr, "comosix exec: %s\n", text);
	return status;
}

static int print_help(void)
{
	struct buf b;
	int r;

	buf_init(&b, 65536);
	r = opt_help(&self, &b);
	if (!r)
		(void)fputs(buf_text(&b), stdout);
	buf_done(&b);
	return r < 0 ? EXIT_ERROR : EXIT_ALL_WELL;
}

/* what the caller wants that cannot be */
static const char *contradiction(const struct options *o)
{
	const struct {
		bool wrong;
		const char *text;
	} rows[] = {
		{ o->tty && o->no_tty, "either --tty or --no-tty" },
		{ o->label && o->no_label, "either --label or --no-label" },
		{ o->tty && o->json, "a terminal's output is no JSON: either --tty or --json" },
		{ o->input && strcmp(o->input, "all") != 0 && strcmp(o->input, "none") != 0,
		  "--stdin wants 'all' or 'none'" },
		{ !o->parallel || o->parallel > PARALLEL_MAX, "--parallel wants 1 to 1024" },
		{ o->directory && o->directory[0] != '/',
		  "--directory wants a path that begins with '/'" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].wrong)
			return rows[i].text;
	return NULL;
}

/* "[options] NODES [options] [--] COMMAND": *ret_command points at COMMAND */
static int parse(int argc, char **argv, struct options *o, const char **ret_nodes, int *ret_command,
		 struct err *e)
{
	int first, second, r = opt_parse(&self, argc, argv, o, &first, e);

	if (r < 0)
		return r;
	if (first >= argc)
		return err_set(e, -EINVAL, "which nodes? See 'comosix exec --help'");
	*ret_nodes = argv[first];
	r = opt_parse(&self, argc - first, argv + first, o, &second, e);
	if (r < 0)
		return r;
	if (first + second >= argc || !argv[first + second][0])
		return err_set(e, -EINVAL, "which command? See 'comosix exec --help'");
	*ret_command = first + second;
	if (contradiction(o))
		return err_set(e, -EINVAL, "%s", contradiction(o));
	return 0;
}

/* those that a node lets pass (comosix-runner(8)); the node decides, this only saves bytes */
static size_t wanted_env(char **to, size_t max)
{
	static const char *const begin[] = {
		"TERM=", "TZ=", "LANG=", "LANGUAGE=", "LC_", "COMOSIX_"
	};
	size_t n = 0;

	for (char **p = environ; *p && n < max; p++)
		for (size_t i = 0; i < ARRAY_LEN(begin); i++)
			if (!strncmp(*p, begin[i], strlen(begin[i]))) {
				to[n++] = *p;
				break;
			}
	return n;
}

/* NULL when there is none to use; a broken one is said */
static struct credential *operator_credential(const struct exec_target *t, size_t n)
{
	struct credential *c = NULL;
	struct err e = { 0 };
	bool wanted = geteuid() < UID_USER_MIN;
	int r;

	for (size_t i = 0; !wanted && i < n; i++)
		wanted = t[i].desktop;
	if (!wanted)
		return NULL;
	r = credential_load(NULL, &c, &e);
	if (r < 0 && r != -ENOENT && r != -EACCES)
		(void)complain(0, e.text);
	return c;
}

static int print_json(const struct exec_node *nodes, size_t n, const Cmx__ExecRequest *rq,
		      int status)
{
	json_t *j = exec_report_json(nodes, n, rq->argv, rq->n_argv, status);
	int r = j ? json_dumpf(j, stdout, JSON_INDENT(2)) : -1;

	json_decref(j);
	if (r < 0 || putchar('\n') == EOF || fflush(stdout) == EOF)
		return complain(EXIT_ERROR, "the result could not be written");
	return status;
}

static void print_summary(const struct exec_node *nodes, size_t n)
{
	struct buf b;

	buf_init(&b, 65536);
	if (!exec_report_summary(nodes, n, &b))
		(void)complain(0, buf_text(&b));
	buf_done(&b);
}

static int run(const struct exec_request *req, const struct options *o)
{
	struct exec_run *r;
	struct err e = { 0 };
	const struct exec_node *nodes;
	size_t n;
	int status;

	if (exec_run(req, &r, &e) < 0)
		return complain(EXEC_SELF_FAILED, e.text);
	nodes = exec_run_nodes(r, &n);
	status = exec_report_status(nodes, n, exec_run_signal(r));
	if (o->json)
		status = print_json(nodes, n, req->rq, status);
	else if (status && n > 1)
		print_summary(nodes, n);
	else if (status == EXIT_TIMED_OUT && nodes[0].result == EXEC_TIMED_OUT)
		(void)complain(0, "timed out; the node ends the command");
	exec_run_free(r);
	return status;
}

static void decide(const struct options *o, size_t n_nodes, struct exec_request *req)
{
	bool one = n_nodes == 1;

	if (o->json)
		req->mode = EXEC_PRINT_KEEP;
	else if ((one || o->no_label) && !o->label)
		req->mode = EXEC_PRINT_RAW;
	else
		req->mode = EXEC_PRINT_LABEL;
	req->input = o->input ? !strcmp(o->input, "all") : one && !o->json;
	req->tty = o->tty || (one && req->mode == EXEC_PRINT_RAW && !o->no_tty && !o->input &&
			      isatty(STDIN_FILENO) && isatty(STDOUT_FILENO));
	/* input is given to all at the same time */
	req->parallel = req->input && n_nodes > o->parallel ? (uint32_t)n_nodes : o->parallel;
	req->timeout_ms = o->timeout_ms;
}

static int run_on(const struct options *o, const struct exec_target *t, size_t n, char **words,
		  size_t n_words)
{
	Cmx__ExecRequest rq = CMX__EXEC_REQUEST__INIT;
	struct exec_request req = { .targets = t, .n_targets = n, .rq = &rq };
	char *env[ENV_MAX], here[PATH_MAX];
	struct credential *operator;
	int status;

	decide(o, n, &req);
	if (req.tty && n > 1)
		return complain(EXIT_USAGE, "--tty works with one node");
	if (req.input && n > PARALLEL_MAX)
		return complain(EXIT_USAGE, "--stdin all works with at most 1024 nodes");
	rq.argv = words;
	rq.n_argv = n_words;
	rq.env = env;
	rq.n_env = wanted_env(env, ARRAY_LEN(env));
	rq.cwd = (char *)o->directory; /* only read */
	if (!rq.cwd)
		rq.cwd = getcwd(here, sizeof(here)) ? here : here + snprintf(here, 1, "%s", "");
	rq.tty = req.tty;
	if (rq.tty)
		exec_tty_size(STDIN_FILENO, &rq.rows, &rq.columns);
	operator= operator_credential(t, n);
	req.operator= operator;
	req.operator_always = geteuid() < UID_USER_MIN;
	status = run(&req, o);
	credential_free(operator);
	return status;
}

/* on a desktop nothing is to be started elsewhere; better said before than by each node */
static bool we_are_desktop(const struct exec_members *m)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->rows[i].self)
			return m->rows[i].desktop;
	return false;
}

int cmd_exec(int argc, char **argv)
{
	struct options o = { .parallel = PARALLEL_DEFAULT };
	struct exec_members members = { 0 };
	AUTO_FREE struct exec_target *targets = NULL;
	struct err e = { 0 };
	const char *nodes = NULL;
	size_t n = 0;
	int at = 0, status, r = parse(argc, argv, &o, &nodes, &at, &e);

	if (r == -ECANCELED)
		return print_help();
	if (r < 0)
		return complain(EXIT_USAGE, e.text);
	if (exec_members_ask(&members, &status, &e) < 0)
		return complain(status, e.text);
	if (we_are_desktop(&members)) {
		exec_members_done(&members);
		return complain(EXIT_REFUSED,
				"this node is a desktop, which only hosts work and may not "
				"start any; log in to the head or a server");
	}
	r = exec_targets_find(nodes, &members, &targets, &n, &e);
	exec_members_done(&members);
	if (r < 0)
		return complain(r == -ENOENT ? EXIT_NOT_FOUND : EXIT_USAGE, e.text);
	return run_on(&o, targets, n, argv + at, (size_t)(argc - at));
}
