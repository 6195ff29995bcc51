/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exec_report.h - what became of a command on many nodes: summary, JSON, exit status. Pure */
#ifndef CTL_EXEC_REPORT_H
#define CTL_EXEC_REPORT_H

#include <jansson.h>

#include "base/buf.h"
#include "ctl/exec_run.h"

/**
 * exec_report_status() - The exit status that says it
 * @nodes, @n:	How each ended
 * @signo:	The signal that we obeyed, or 0
 */
int exec_report_status(const struct exec_node *nodes, size_t n, int signo);

/**
 * exec_report_summary() - "37 ok, 2 failed: n3 (exit 1), n9 (exit 127); 1 unreachable: n12"
 * @to:		Appended to, without a newline
 *
 * Return: 0 or -errno
 */
int exec_report_summary(const struct exec_node *nodes, size_t n, struct buf *to) MUST_CHECK;

/** exec_report_json() - All of it as one object, the caller's reference; NULL when memory is out */
json_t *exec_report_json(const struct exec_node *nodes, size_t n, char *const *argv, size_t n_argv,
			 int status);

#endif
