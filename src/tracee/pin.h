/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pin.h - run on the CPU of the tracee while there is much to inject */
#ifndef TRACEE_PIN_H
#define TRACEE_PIN_H

#include <sched.h>
#include <sys/types.h>

#include "base/attr.h"

/**
 * tracee_pin_to() - Move the calling thread to the CPU that a stopped thread ran on last
 * @tid:	It wakes up there, if it may
 * @saved:	Set on success: for tracee_unpin()
 *
 * A tracee that was bound to other CPUs in between runs elsewhere: that is slower, not wrong.
 *
 * Return: 0, -ESRCH, -EINVAL that CPU is not ours to use; then nothing has changed
 */
int tracee_pin_to(pid_t tid, cpu_set_t *saved) MUST_CHECK;

/** tracee_unpin() - Where tracee_pin_to() took us from; fails only if those CPUs are gone */
int tracee_unpin(const cpu_set_t *saved);

#endif
