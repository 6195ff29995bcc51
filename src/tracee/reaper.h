/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * reaper.h - inside tracee/: let an exec(2) in the tracee go on while we wait in the kernel
 *
 * Theory of operation. A thread that calls exec waits until all others of its process are dead and,
 * if they are traced, reaped; it holds a lock meanwhile that PTRACE_SEIZE wants, and does not stop
 * either. A tracer of one thread that is just seizing, or waiting for a stop, would wait for ever:
 * each for the other. The death of a traced thread sends us SIGCHLD. So as long as a reaper is set,
 * SIGCHLD has a handler that reaps the dead among our threads, and interrupts the kernel's wait.
 *
 * One reaper at a time, for a caller with one thread. SIGCHLDs that came in that time are sent to
 * ourselves once more at the end, for whoever listens to them.
 */
#ifndef TRACEE_REAPER_H
#define TRACEE_REAPER_H

#include <signal.h>
#include <sys/types.h>

#include "base/attr.h"

struct reaper {
	struct sigaction action; /* as it was */
	sigset_t mask;
};

/**
 * reaper_set() - Reap threads when they die
 * @r:		Keeps what it replaces
 * @tids:	An array that may grow: only a number is added behind, or one is overwritten
 * @n:		How many; read by the handler
 * @but:	Never this one: the end of the process is for tracee_wait()
 *
 * Return: 0, -errno
 */
int reaper_set(struct reaper *r, const pid_t *tids, const volatile size_t *n, pid_t but) MUST_CHECK;
void reaper_unset(struct reaper *r);

/** reaper_reap() - A thread of ours, if it is dead */
void reaper_reap(pid_t tid);

/** reaper_count() - SIGCHLDs until now: was it one of them that interrupted a wait? */
int reaper_count(void);

#endif
