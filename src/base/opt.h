/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * opt.h - command line options from a table
 *
 * A command describes its options in rows; parsing, --help and man pages derive from them.
 * "--name value", "--name=value" and "-x value" are understood; "--" ends the options; the first
 * word that is no option ends them too when the table says so (commands that run a command).
 */
#ifndef BASE_OPT_H
#define BASE_OPT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum opt_type {
	OPT_FLAG,     /* bool */
	OPT_STRING,   /* const char *, points into argv */
	OPT_U32,      /* uint32_t */
	OPT_DOUBLE,   /* double */
	OPT_SIZE,     /* uint64_t, bytes */
	OPT_DURATION, /* uint64_t, ms */
};

struct opt_spec {
	const char *name; /* without the dashes */
	char letter;	  /* 0: none */
	enum opt_type type;
	size_t offset;	 /* of the field in the target struct */
	const char *arg; /* name of the value in --help; NULL for a flag */
	const char *help;
};

struct opt_command {
	const char *name;     /* "comosix token create" */
	const char *args;     /* what follows the options: "NODES -- CMD" */
	const char *summary;  /* one line */
	const char *examples; /* lines, each with its newline; may be NULL */
	const struct opt_spec *specs;
	size_t n_specs;
	bool stop_at_word; /* options end at the first word */
};

/**
 * opt_parse() - Fill a struct from the command line
 * @cmd:	The table
 * @argc, @argv: As main() got them; argv[0] is skipped, argv is permuted: words move behind options
 * @target:	Struct that the offsets are in; fields not named on the line stay as they are
 * @ret_first:	Index of the first word in argv
 * @e:		Reason, names the option
 *
 * Return: 0, -EINVAL, or -ECANCELED when --help or -h (when no option
 * has that letter) was met (print opt_help() and exit 0)
 */
int opt_parse(const struct opt_command *cmd, int argc, char **argv, void *target, int *ret_first,
	      struct err *e) MUST_CHECK;

/** opt_help() - The text of --help */
int opt_help(const struct opt_command *cmd, struct buf *to) MUST_CHECK;

#endif
