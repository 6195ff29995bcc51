/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rights.h - what a deputy keeps of root once it has its process and its stream */
#ifndef MIGRATE_RIGHTS_H
#define MIGRATE_RIGHTS_H

#include <sys/types.h>

#include "base/err.h"

/**
 * rights_shed() - Be no longer root, for good
 * @uid, @gid:	Of the process that is moved: whose files may be opened from now on
 * @e:		Reason; the program must end then, it may be half-way
 *
 *	real and saved uid	one of a private range, that no other process has
 *	effective uid		the process's
 *	capabilities		CAP_SYS_PTRACE, CAP_KILL, CAP_LEASE; permitted only, if it has that: CAP_SYS_RESOURCE
 *
 * The kernel asks the effective uid of who sends a signal, and the real and saved uid of who gets it
 * (kill(2)): so the process's user, and the process, cannot signal its deputy. Nor can they trace
 * it, for it has capabilities that they have not. For a program with one thread.
 *
 * Return: 0 or -errno
 */
int rights_shed(uid_t uid, gid_t gid, struct err *e) MUST_CHECK;

#endif
