/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * family.h - all that this process has started, however well it hid
 *
 * A process that made itself a subreaper (prctl(2)) becomes the parent of each descendant that
 * loses its own, so no double fork and no new session leaves the family. When it has no child left,
 * there is no descendant left.
 */
#ifndef NODE_RUNNER_FAMILY_H
#define NODE_RUNNER_FAMILY_H

#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

/** family_adopt() - Become the one who gets the orphans; call before anything is started */
int family_adopt(struct err *e) MUST_CHECK;

/**
 * family_signal() - Send a signal to every descendant of this process
 * @signo:	What
 *
 * A process that is born meanwhile may be missed: repeat until family_signal() finds none.
 * Each is held by a pidfd and looked at again before the shot, so that a number that was given to a
 * stranger meanwhile is let alone.
 *
 * Return: how many there are, those that are dead and not yet reaped not counted; -errno
 */
int family_signal(int signo) MUST_CHECK;

/* what one line of /proc/PID/stat says */
struct family_member {
	pid_t pid, parent;
	char state;	/* 'Z' is dead */
	uint64_t start; /* tells two owners of one number apart */
};

/** family_parse_stat() - 0, or -EINVAL; the name in the line may hold anything, ')' too */
int family_parse_stat(const char *line, struct family_member *ret) MUST_CHECK;

#endif
