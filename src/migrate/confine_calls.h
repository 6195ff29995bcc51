/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * confine_calls.h - the seccomp filter of a job: calls it can never make again
 *
 * Theory of operation. The Landlock domain of a job (confine.h) holds for what has a path, a TCP
 * port or a process id. This filter holds for the rest: what acts on other processes, takes other
 * rights, changes files by their names (Landlock does not know chmod), talks by names that are no
 * files, or is so new or so large a piece of the kernel that no job shall touch it. What is not
 * named here, and known to forward/table, is allowed; a call that is not known does not exist for a
 * job, nor does one of another architecture.
 *
 * A job still executes programs: with no_new_privs they have no more rights than it has.
 */
#ifndef MIGRATE_CONFINE_CALLS_H
#define MIGRATE_CONFINE_CALLS_H

#include <linux/filter.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/attr.h"

#define CONFINE_INSNS_MAX 1024

/* a call that no kernel has: who is confined already gets this answer from its filter */
#define CONFINE_MARK	   0x434f4du
#define CONFINE_MARK_ERRNO 3979

/**
 * confine_calls_build() - The filter program
 * @pid:	Whose memory may be read by process_vm_readv(2): the stub's own, which it must
 *		be able to after a sleep that was interrupted
 * @to:		CONFINE_INSNS_MAX instructions
 * @ret_n:	How many were written
 *
 * Return: 0, -E2BIG
 */
int confine_calls_build(pid_t pid, struct sock_filter *to, size_t *ret_n) MUST_CHECK;

#endif
