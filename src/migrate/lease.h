/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lease.h - how long one half of a moved process goes on without a word of the other
 *
 * Theory of operation. Each half counts from the last bytes of the other, by CLOCK_BOOTTIME; with
 * a BEAT each second there is always something to hear. A cut transport changes nothing in that: it
 * may be replaced within the lease (channel.h).
 *
 *	    0 ............ hold_ms ............ guest_ms ........ home_ms
 *	host   runs          frozen, all of it    ended
 *	home   works for the guest                                 the process ends
 *
 * A frozen guest goes on when home is heard again. Home never continues a process that may run at
 * the host: it ends it, as if killed by SIGKILL. So clocks that are wrong, or stopped with their
 * machine, cost a process at worst and never make two; what a guest does that outlives its lease in
 * that way stays in its own memory, for each call that others could notice is made at home.
 */
#ifndef MIGRATE_LEASE_H
#define MIGRATE_LEASE_H

#include <stdint.h>

struct lease {
	uint32_t hold_ms, guest_ms, home_ms; /* in rising order; parameters for the tests only */
};

#define LEASE_DEFAULT                                                                              \
	(struct lease)                                                                             \
	{                                                                                          \
		.hold_ms = 10000, .guest_ms = 20000, .home_ms = 30000                              \
	}

#endif
