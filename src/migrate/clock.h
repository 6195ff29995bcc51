/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * clock.h - the clocks of home, at the host
 *
 * Theory of operation. The guest's time namespace adds an offset to CLOCK_MONOTONIC and
 * CLOCK_BOOTTIME, so that they go on where they were at home. The offset comes from questions and
 * answers over the stream:
 *
 *	host    sent -----\                /----- received
 *	home               \--- home -----/
 *
 * When home looked at its clock, it was some time in [sent, received] at the host; so the true
 * offset is in [home - received, home - sent]. We take the upper end, and of several samples the
 * smallest one: a clock must not step back, and this one is never behind home's. It is ahead by the
 * shortest way of a question at most, which is less than what the process is stopped for; so on the
 * way back the same holds, but for what the two machines' clocks have drifted apart in the
 *meantime: clocks_hold_ns().
 */
#ifndef MIGRATE_CLOCK_H
#define MIGRATE_CLOCK_H

#include <stdint.h>

#include "base/err.h"

#define CLOCKS_SAMPLES	   4	      /* enough for one of them to be quick */
#define CLOCKS_HOLD_MAX_NS 1000000000 /* a process is not kept stopped for longer */

struct clocks {
	int64_t monotonic_ns, boottime_ns;
};

/** clocks_read() - This machine's, now (of the time namespace of the caller) */
void clocks_read(struct clocks *ret);

/* offset found so far: home minus ours */
struct clocks_sync {
	struct clocks offset; /* valid when n > 0; never less than the true one */
	int64_t error_ns;     /* and more than it by this at most */
	unsigned int n;
};

/**
 * clocks_sample() - Learn from one question and its answer. Pure
 * @s:		All zero before the first
 * @sent, @received: Our clocks at these moments
 * @home:	Home's clocks, from the answer
 *
 * Return: 0, -EPROTO (clocks that cannot be; nothing is changed)
 */
int clocks_sample(struct clocks_sync *s, const struct clocks *sent, const struct clocks *home,
		  const struct clocks *received) MUST_CHECK;

/**
 * clocks_apply() - Make a time namespace for the children of the caller, with that offset
 * @offset:	Home minus ours
 * @e:		Reason
 *
 * Children that are made from now on live in it; the caller does not. Once for each process. It
 * has to be dumpable (its /proc files its own), and have CAP_SYS_ADMIN and CAP_SYS_TIME in its
 * user namespace.
 *
 * Return: 0, -ENOSYS (a kernel without time namespaces), -ERANGE (a clock before zero), other
 * -errno
 */
int clocks_apply(const struct clocks *offset, struct err *e) MUST_CHECK;

/**
 * clocks_hold_ns() - How long to keep a process stopped that came from elsewhere. Pure
 * @last:	What its clocks said there when it was frozen
 * @now:	What they would say here
 *
 * Return: ns until no clock is behind, at most CLOCKS_HOLD_MAX_NS
 */
int64_t clocks_hold_ns(const struct clocks *last, const struct clocks *now);

#endif
