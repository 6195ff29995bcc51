/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stop.h - inside tracee/: wait for a stop of one thread without reaping it */
#ifndef TRACEE_STOP_H
#define TRACEE_STOP_H

#include "tracee/tracee.h"

/**
 * stop_wait() - Block until a thread stops
 * @tid:	A thread that we trace
 * @ret:	Its stop; never TRACEE_GONE
 *
 * Return: 0, -ESRCH it has ended (tracee_wait() will report it), -EINTR a handler of ours ran
 */
int stop_wait(pid_t tid, struct tracee_stop *ret) MUST_CHECK;

#endif
