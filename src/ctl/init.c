/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * init.c - comosix init: make a cluster
 *
 * The authority's code is no part of this program: comosix-headd does it (head/setup.c), and is
 * looked for beside us, where it is installed, and in PATH.
 */
#include <errno.h>
#include <limits.h>
#include <unistd.h>

#include "base/err.h"
#include "ctl/command.h"

#define PROGRAM "comosix-headd"

int cmd_init(int argc, char **argv)
{
	static const char *const places[] = { "%s/" PROGRAM, "%s/../sbin/" PROGRAM };
	char self[PATH_MAX], path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *last;

	(void)argc;
	argv[0] = (char *)"init";

	char **args = calloc((size_t)argc + 2, sizeof(*args));

	if (!args)
		return EXIT_ERROR;
	args[0] = (char *)PROGRAM;
	for (int i = 0; i < argc; i++)
		args[i + 1] = argv[i];
	self[n > 0 ? n : 0] = '\0';
	last = strrchr(self, '/');
	if (last)
		*last = '\0';
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	for (size_t i = 0; last && i < ARRAY_LEN(places); i++) {
		(void)snprintf(path, sizeof(path), places[i], self); /* a cut name is not found */
		(void)execv(path, args); /* comes back when it is not there */
	}
#pragma GCC diagnostic pop
	(void)execvp(PROGRAM, args);
	(void)fprintf(stderr, "comosix init: cannot start " PROGRAM ": %s; is it installed?\n",
		      strerror(errno));
	free(args);
	return EXIT_ERROR;
}
