/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * box_start.c - start a program in a box as comosixd does, and end with its status
 *
 * box_start BOX-PROGRAM SLOT CACHE MEMORY PROCESSES [NAME=VALUE]... -- PROGRAM ARGV...
 * The stream is fd 0. A "-" is no cache; SIGTERM kills the box.
 */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/parse.h"
#include "node/box.h"

#define ENV_MAX 16

static struct box box;

static void on_term(int signo)
{
	box_kill(&box);
}

int main(int argc, char **argv)
{
	const char *env[ENV_MAX + 1] = { NULL };
	struct box_spec spec = { .stream = 0, .log = 2, .scratch_bytes = 16 << 20, .env = env };
	struct err e = { 0 };
	int status, at = 6, n = 0;

	if (argc < 9 || parse_u32(argv[2], &spec.slot) < 0 ||
	    parse_size(argv[4], &spec.memory_bytes) < 0 || parse_u32(argv[5], &spec.processes) < 0)
		return 2;
	spec.box_program = argv[1];
	spec.cache = argv[3][0] == '-' ? NULL : argv[3];
	while (at < argc && strcmp(argv[at], "--") != 0 && n < ENV_MAX)
		env[n++] = argv[at++];
	if (argc - at < 3)
		return 2;
	spec.program = argv[at + 1];
	spec.argv = (const char *const *)&argv[at + 2];
	if (box_spawn(&spec, &box, &e) < 0) {
		(void)fprintf(stderr, "box_start: %s\n", e.text);
		return 2;
	}
	(void)signal(SIGTERM, on_term);
	(void)close(0); /* the stream is the box's alone */
	(void)fprintf(stderr, "box pid %d\n", box.pid);
	while (waitpid(box.pid, &status, 0) < 0)
		;
	box_done(&box);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
