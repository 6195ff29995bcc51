/* SPDX-License-Identifier: GPL-2.0-or-later */
/* line.c - the manners of a command line: --help, --version, complaints */
#include "classic/line.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "config.h"

int line_complain(const struct opt_command *cmd, int status, const char *fmt, ...)
{
	va_list ap;

	(void)fprintf(stderr, "%s: ", cmd->name);
	va_start(ap, fmt);
	(void)vfprintf(stderr, fmt, ap);
	va_end(ap);
	(void)fputc('\n', stderr);
	return status;
}

static int print_help(const struct opt_command *cmd)
{
	struct buf b;
	int r;

	buf_init(&b, 65536);
	r = opt_help(cmd, &b);
	if (!r)
		(void)fputs(buf_text(&b), stdout);
	buf_done(&b);
	return r < 0 || fflush(stdout) ? EXIT_ERROR : EXIT_ALL_WELL;
}

int line_options(const struct opt_command *cmd, int argc, char **argv, void *target, int min,
		 int max, int *ret_first)
{
	struct err e = { 0 };
	int r;

	if (argc == 2 && !strcmp(argv[1], "--version")) {
		(void)printf("%s %s\n", cmd->name, COMOSIX_VERSION);
		return EXIT_ALL_WELL;
	}
	r = opt_parse(cmd, argc, argv, target, ret_first, &e);
	if (r == -ECANCELED)
		return print_help(cmd);
	if (r < 0)
		return line_complain(cmd, EXIT_USAGE, "%s", e.text);
	if (argc - *ret_first < min || (max >= 0 && argc - *ret_first > max))
		return line_complain(cmd, EXIT_USAGE, "usage: %s%s%s; see '%s --help'", cmd->name,
				     cmd->args ? " " : "", cmd->args ? cmd->args : "", cmd->name);
	return -1;
}
