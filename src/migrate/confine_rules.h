/* SPDX-License-Identifier: GPL-2.0-or-later */
/* confine_rules.h - Landlock's ruleset of a job. Private to confine*.c */
#ifndef MIGRATE_CONFINE_RULES_H
#define MIGRATE_CONFINE_RULES_H

#include "migrate/confine.h"

/** confine_rules_new() - An empty ruleset: everything is forbidden; fd or -errno */
int confine_rules_new(struct err *e) MUST_CHECK;

/** confine_rules_system() - What programs need to run: system directories, /proc, /dev/null */
int confine_rules_system(const struct confine *c, struct err *e) MUST_CHECK;

/**
 * confine_rules_tree() - A file, or a directory with all below it but dot files of the home
 * @c:		Its ruleset, its home
 * @fd:		O_PATH
 * @what:	What to call it in a reason
 *
 * Return: 0, -EPERM it lies in a dot directory of the home, other -errno
 */
int confine_rules_tree(const struct confine *c, int fd, const char *what, struct err *e) MUST_CHECK;

/** confine_rules_program() - The program file: to be executed once more, wherever it lies */
int confine_rules_program(const struct confine *c, int fd, struct err *e) MUST_CHECK;

/** confine_rules_open() - O_PATH of an absolute path as the process sees it; fd or -errno */
int confine_rules_open(const struct confine *c, const char *path) MUST_CHECK;

#endif
