/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lease.h - how long one half of a moved process goes on without a word of the other
 *
 * Theory of operation. Each half counts from the last bytes of the other, by CLOCK_BOOTTIME; with
 * a BEAT each second there is always something to hear. A cut transport changes nothing in that: it
 * may be replaced within the lease (channel.h).
 *
 *	     0 ............. a third ............ two thirds ........ the lease (30 s)
 *	host runs            held: all stopped    ended
 *	home works for it                                             the process ends
 *
 * A held guest goes on when home is heard again. Home never continues a process that may run at
 * the host: it ends it, as if killed by SIGKILL. So a clock that is wrong, or stands still with its
 * machine, costs a process at worst and never makes two; what a guest does that outlives its lease
 * in that way stays in its own memory, for every call that others could notice is made at home.
 */
#ifndef MIGRATE_LEASE_H
#define MIGRATE_LEASE_H

#include <stdint.h>

#define LEASE_MS 30000

static inline uint32_t lease_hold_ms(uint32_t lease_ms)
{
	return lease_ms / 3;
}

static inline uint32_t lease_guest_ms(uint32_t lease_ms)
{
	return lease_ms / 3 * 2;
}

#endif
