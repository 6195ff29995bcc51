/* SPDX-License-Identifier: GPL-2.0-or-later */
/* migrate.c - move a running process to another node, or home */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/parse.h"
#include "classic/ask.h"
#include "classic/line.h"
#include "ctl/term.h"

struct options {
	bool quiet, post_copy;
};

static const struct opt_spec specs[] = {
	{ "post-copy", 'p', OPT_FLAG, offsetof(struct options, post_copy), NULL,
	  "move it at once, and let its memory follow while it runs there" },
	{ "quiet", 'q', OPT_FLAG, offsetof(struct options, quiet), NULL,
	  "say nothing when all went well" },
};

static const struct opt_command self = {
	.name = "migrate",
	.args = "PID {NODE|home|best}",
	.summary = "move a running process to another node, or home",
	.examples =
		"  migrate 4711 n3       to the node n3\n"
		"  migrate 4711 best     to the node with the most room\n"
		"  migrate -p 4711 n3    at once, however large it is; its memory follows\n"
		"  migrate 4711 home     back to where it was started\n"
		"\n"
		"It is moved while it runs, and this command waits until it runs there. Exit "
		"status: 0 it does,\n"
		"1 error, 2 usage, 4 no such process or node, 5 refused (the reason is said; the "
		"process runs on\n"
		"as if nothing had been asked), 6 timed out.\n",
	.specs = specs,
	.n_specs = ARRAY_LEN(specs),
};

/* what a stage is called while one waits for its end */
static const char *const doing[] = {
	[CMX__HALF_STAGE__STAGE_NONE] = "reaching the node",
	[CMX__HALF_STAGE__STAGE_PREFLIGHT] = "looking at the process",
	[CMX__HALF_STAGE__STAGE_CONNECT] = "reaching the node",
	[CMX__HALF_STAGE__STAGE_COPY] = "sending its memory while it runs",
	[CMX__HALF_STAGE__STAGE_CAPTURE] = "sending its memory",
	[CMX__HALF_STAGE__STAGE_BUILD] = "building it up there",
	[CMX__HALF_STAGE__STAGE_AWAY] = "it runs there",
	[CMX__HALF_STAGE__STAGE_RECALL] = "fetching it home",
	[CMX__HALF_STAGE__STAGE_REBUILD] = "building it up at home",
	[CMX__HALF_STAGE__STAGE_ENDED] = "done",
};

struct progress {
	bool shown; /* a line is on the terminal */
	uint32_t freeze_us;
	char note[256]; /* something its user should know */
};

static void told(void *owner, const Cmx__HalfState *s)
{
	struct progress *p = owner;
	char all[32];

	p->freeze_us = s->freeze_us;
	/* before, it is what is being done */
	if (s->stage >= CMX__HALF_STAGE__STAGE_COPY && s->text[0])
		(void)snprintf(p->note, sizeof(p->note), "%s", s->text);
	if (!isatty(STDERR_FILENO) || (unsigned int)s->stage >= ARRAY_LEN(doing))
		return;
	p->shown = true;
	(void)fprintf(stderr, "\r\033[K%s", doing[s->stage]);
	if (s->bytes_all) {
		term_size(s->bytes_all, all, sizeof(all));
		(void)fprintf(stderr, " %u%% of %s",
			      (unsigned int)(100.0 * (double)s->bytes_done / (double)s->bytes_all),
			      all);
	}
	(void)fflush(stderr);
}

static void clear(struct progress *p)
{
	if (p->shown)
		(void)fputs("\r\033[K", stderr);
}

int main(int argc, char **argv)
{
	struct options o = { 0 };
	struct progress progress = { 0 };
	const struct ask_progress p = { .told = told, .owner = &progress };
	struct err e = { 0 };
	char text[256];
	uint32_t pid;
	int first, status, r = line_options(&self, argc, argv, &o, 2, 2, &first);

	if (r >= 0)
		return r;
	if (parse_u32(argv[first], &pid) < 0 || !pid || pid > INT32_MAX)
		return line_complain(&self, EXIT_USAGE,
				     "'%s' is no process number; see 'migrate --help'",
				     argv[first]);
	r = ask_migrate((pid_t)pid, argv[first + 1], o.post_copy, o.quiet ? NULL : &p, text,
			sizeof(text), &status, &e);
	clear(&progress);
	if (r < 0)
		return line_complain(&self, status ? status : EXIT_ERROR, "process %u: %s", pid,
				     e.text);
	if (o.quiet)
		return EXIT_ALL_WELL;
	(void)fprintf(stderr, "process %u: %s", pid, text);
	if (progress.freeze_us)
		(void)fprintf(stderr, " (it stood still for %.1f ms)", progress.freeze_us / 1000.0);
	(void)fprintf(stderr, "%s%s\n", progress.note[0] ? "; " : "", progress.note);
	return EXIT_ALL_WELL;
}
