/* SPDX-License-Identifier: GPL-2.0-or-later */
/* main.c - comosix-runner: run one command for a user of the cluster (node/runner.h) */
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "log/log.h"
#include "loop/loop.h"
#include "node/runner/family.h"
#include "node/runner/session.h"
#include "os/fd.h"

int main(int argc, char **argv)
{
	struct session *s = NULL;
	struct loop *l = NULL;
	struct err e = { 0 };
	int type;
	socklen_t len = sizeof(type);
	int r;

	log_open("comosix-runner", LOG_INFO);
	if (argc != 1 || getsockopt(STDIN_FILENO, SOL_SOCKET, SO_TYPE, &type, &len) < 0)
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
