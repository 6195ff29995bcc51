/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cpu_timers.h - timers of CPU time (timer_create(2)) of a process that leaves and comes back
 *
 * Theory of operation. Timers of all other clocks stay at home, where signals come from. One that
 * counts the process's own CPU time would count that of the stub. So what it is, and what is left of it,
 * goes along in the image, and the guest's agent watches the clock (guest_timers.c); at home the timer
 * stays, with its number, and stands still from RUN on. When the process is back it is set to what is
 * left then.
 *
 * /proc/PID/timers tells which there are. Of a timer that was made with CLOCK_THREAD_CPUTIME_ID it does not tell
 * whose thread's clock that is; but all threads are stopped: the timer counts on only while calls are
 * injected into that one.
 */
#ifndef MIGRATE_CPU_TIMERS_H
#define MIGRATE_CPU_TIMERS_H

#include <signal.h>
#include <stdbool.h>

#include "base/err.h"
#include "image/image.h"
#include "tracee/batch.h"

#define CPU_TIMERS_UNKNOWN UINT32_MAX /* in tid: a thread's, which one is not told */

/**
 * cpu_timers_parse() - Those of /proc/PID/timers that count CPU time of one process. Pure
 * @text:	What the file says
 * @m:		Has pid and threads; gets the timers, without their times
 *
 * Return: 0, -E2BIG, -EPROTO
 */
int cpu_timers_parse(const char *text, struct image *m) MUST_CHECK;

/** cpu_timers_capture() - All of them, of a stopped process whose threads the image has */
int cpu_timers_capture(struct batch *b, struct image *m, struct err *e) MUST_CHECK;

/** cpu_timers_set() - At home: as the image says; @stop: they stand still. Those that are gone are no failure */
int cpu_timers_set(struct batch *b, const struct image *m, bool stop, struct err *e) MUST_CHECK;

/**
 * cpu_timers_is_late() - Is this a signal that the guest's agent sends, too?
 *
 * Of one that goes off once, and did at home between the capture and RUN, by what was injected then.
 */
bool cpu_timers_is_late(const struct image *m, const siginfo_t *info);

#endif
