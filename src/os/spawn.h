/* SPDX-License-Identifier: GPL-2.0-or-later */
/* spawn.h - start a program with exactly the fds, environment and signals it is meant to have */
#ifndef OS_SPAWN_H
#define OS_SPAWN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

#define SPAWN_FDS_MAX  3
#define SPAWN_MORE_MAX 5

struct spawn {
	const char *path;	 /* as execve(2) wants it; no PATH search */
	const char *const *argv; /* ends with NULL */
	const char *const *env;	 /* ends with NULL; NULL: empty */
	int fds[SPAWN_FDS_MAX];	 /* become 0, 1, 2; -1: /dev/null; one may stand twice */
	const int *more_fds;	 /* become 3, 4 ...; may be NULL */
	size_t n_more_fds;	 /* <= SPAWN_MORE_MAX */
	bool own_session;	 /* setsid(2): no terminal's or group's signal reaches it */
	int namespaces;		 /* CLONE_NEW... flags; CLONE_NEWPID makes the program pid 1 */
	int death_signal;	 /* sent to it when its parent dies; 0: none */
};

/**
 * spawn_program() - Start it
 * @s:		What; all fds other than these are closed in it, all signals are at their
 *		default and unblocked
 * @ret_pid:	Set on success only; the caller reaps it
 * @e:		Reason; also when the program cannot be executed
 *
 * Return: 0 or -errno
 */
int spawn_program(const struct spawn *s, pid_t *ret_pid, struct err *e) MUST_CHECK;

/**
 * spawn_reset_signals() - In a child before exec: all signals, those that the C library keeps for
 * itself too, to their default and unblocked
 *
 * Return: 0 or -errno
 */
int spawn_reset_signals(void) MUST_CHECK;

/**
 * spawn_find() - Where a program of ours is
 * @name:	"comosix-runner"
 * @libexec:	Directory it is installed in
 * @ret:	Path, @len bytes: beside the running program when it is there (build/bin), else in
 *		@libexec
 * @e:		Reason
 *
 * Return: 0, -ENOENT
 */
int spawn_find(const char *name, const char *libexec, char *ret, size_t len, struct err *e)
	MUST_CHECK;

#endif
