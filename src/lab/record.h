/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * record.h - what a lab leaves on the machine, and how it is taken away
 *
 * Theory of operation. A lab is its supervisor: first process of a pid namespace that all else
 * lives in, so that the kernel ends everything when it ends. Outside of the namespaces there are
 * only LAB_ROOT/NAME and the lab's cgroups; the directory is made before the first cgroup, so
 * whoever finds the directory knows what to look for.
 *
 * Who is the supervisor is asked of the kernel: it is who listens on LAB_ROOT/NAME/control
 * (SO_PEERCRED of a connection to it). flock(2) on LAB_ROOT orders commands: it is held from before
 * the directory is made until the supervisor listens, by the command and the supervisor alike, so
 * that the one who gets it next finds either a supervisor that listens or none at all.
 */
#ifndef LAB_RECORD_H
#define LAB_RECORD_H

#include "lab/layout.h"

/** record_lock() - Take the lock; LAB_ROOT is made if it is missing; closing the fd gives it back
 */
int record_lock(int *ret_fd, struct err *e) MUST_CHECK;

/** record_write() - Make the directory of a lab and note what it is; under the lock */
int record_write(const struct lab_paths *p, const char *text, struct err *e) MUST_CHECK;

/**
 * record_supervisor() - The process that runs a lab
 * @p:		The lab
 * @ret_pidfd:	Set on success
 * @e:		Reason
 *
 * Return: 0, -ESRCH when none does, other -errno
 */
int record_supervisor(const struct lab_paths *p, int *ret_pidfd, struct err *e) MUST_CHECK;

/**
 * record_remove() - Kill the supervisor if there is one, wait for its end, remove all that is left
 * @p:		The lab
 * @e:		Reason
 *
 * Under the lock. Return: 1 there was something, 0 there was nothing, -errno
 */
int record_remove(const struct lab_paths *p, struct err *e) MUST_CHECK;

/** record_sweep() - Remove cgroups and files of a lab of which all processes are gone */
int record_sweep(const struct lab_paths *p, struct err *e) MUST_CHECK;

#endif
