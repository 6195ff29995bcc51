/* SPDX-License-Identifier: GPL-2.0-or-later */
/* command.h - the table of comosix's commands */
#ifndef CTL_COMMAND_H
#define CTL_COMMAND_H

/*
 * Exit status of our own commands (docs/ARCHITECTURE.md, command-line contract).
 */
enum exit_status {
	EXIT_ALL_WELL = 0,
	EXIT_ERROR = 1,
	EXIT_USAGE = 2,
	EXIT_SOME_FAILED = 3,
	EXIT_NOT_FOUND = 4,
	EXIT_REFUSED = 5,
	EXIT_TIMED_OUT = 6,
};

/* "noun verb" or one word, what it does, its main function (argv[0] is the last word) */
#define COMMANDS(X) X("exec", "run a command on nodes, as yourself", cmd_exec)

struct command {
	const char *words;
	const char *summary;
	int (*run)(int argc, char **argv);
};

#define COMMAND_DECLARE(words, summary, fn) int fn(int argc, char **argv);
COMMANDS(COMMAND_DECLARE)
#undef COMMAND_DECLARE

#endif
