/* SPDX-License-Identifier: GPL-2.0-or-later */
/* line.h - the manners of a command line: --help, --version, complaints */
#ifndef CLASSIC_LINE_H
#define CLASSIC_LINE_H

#include "base/err.h"
#include "base/opt.h"
#include "ctl/exit_status.h"

/**
 * line_options() - Read the options; --help and --version are answered here
 * @cmd:	The table; its name is the program's
 * @target:	For the table's offsets
 * @min, @max:	How many words may follow; max < 0: any number
 * @ret_first:	Index of the first of them in argv
 *
 * Return: -1 go on, else the exit status
 */
int line_options(const struct opt_command *cmd, int argc, char **argv, void *target, int min,
		 int max, int *ret_first);

/** line_complain() - "NAME: text" on stderr; Return: status */
int line_complain(const struct opt_command *cmd, int status, const char *fmt, ...) PRINTF(3, 4);

#endif
