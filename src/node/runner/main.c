/* SPDX-License-Identifier: GPL-2.0-or-later */
/* main.c - comosix-runner: run one command for a user of the cluster (node/runner.h) */
#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/opt.h"
#include "config.h"
#include "log/log.h"
#include "loop/loop.h"
#include "node/runner/family.h"
#include "node/runner/session.h"
#include "os/fd.h"

#define STATUS_USAGE 2

struct options {
	bool version;
};

static const struct opt_spec specs[] = {
	{ "version", 0, OPT_FLAG, offsetof(struct options, version), NULL, "print the version" },
};

static const struct opt_command self = {
	.name = "comosix-runner",
	.summary = "run one command for a user of the cluster; started by comosixd, not by hand",
	.examples = "  comosix exec n1 -- uptime      is what makes comosixd start it\n",
	.specs = specs,
	.n_specs = ARRAY_LEN(specs),
};

/* Return: exit status when there is nothing to serve, else -1 */
static int answer_options(int argc, char **argv)
{
	struct options o = { 0 };
	struct err e = { 0 };
	struct buf help;
	int first, r;

	r = opt_parse(&self, argc, argv, &o, &first, &e);
	if (r == -ECANCELED) {
		buf_init(&help, 16384);
		if (opt_help(&self, &help) < 0)
			return 1;
		(void)fputs(buf_text(&help), stdout);
		buf_done(&help);
		return 0;
	}
	if (!r && o.version) {
		(void)printf("%s %s\n", self.name, COMOSIX_VERSION);
		return 0;
	}
	if (!r && first == argc)
		return -1;
	(void)fprintf(stderr, "%s: %s\n", self.name, r < 0 ? e.text : "no words are wanted");
	return STATUS_USAGE;
}

static bool is_socket(int fd)
{
	int type;
	socklen_t len = sizeof(type);

	return !getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len);
}

int main(int argc, char **argv)
{
	struct session *s = NULL;
	struct loop *l = NULL;
	struct err e = { 0 };
	int r = answer_options(argc, argv);

	if (r >= 0)
		return r;
	log_open(self.name, LOG_INFO);
	if (!is_socket(STDIN_FILENO) || !is_socket(STDOUT_FILENO))
		die("comosixd starts this program with a stream; use 'comosix exec NODES -- CMD'");
	(void)signal(SIGPIPE, SIG_IGN); /* writes say EPIPE */
	if (fd_nonblock(STDIN_FILENO, 1) < 0 || fd_nonblock(STDOUT_FILENO, 1) < 0 ||
	    family_adopt(&e) < 0 || loop_new(&l, &e) < 0 ||
	    session_new(l, STDIN_FILENO, STDOUT_FILENO, &s, &e) < 0)
		die("%s", e.text[0] ? e.text : "cannot serve the stream");
	r = loop_run(l);
	session_free(s);
	loop_free(l);
	return r < 0;
}
