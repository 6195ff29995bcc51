/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * live.h - what this machine's comosixd says about the members, now
 *
 * A thread follows comosixd (docs/PROTOCOL.md section 2, MEMBERS) and keeps a table. Changes of
 * state become events (node.up, node.suspect, node.down, node.left). While comosixd is away the
 * table is empty and every node's state is "unknown". An event is made only when it says another
 * thing than the last one about the node, so that restarts of either program make none.
 */
#ifndef HEAD_LIVE_H
#define HEAD_LIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define LIVE_MEMBERS_MAX 100000

struct api;
struct live;

struct live_member {
	uint32_t id;
	char name[64];
	char state[12]; /* alive suspect dead left revoked */
	char address[72];
	bool relayed;
	uint32_t cpus, load_percent, speed, guests, age_ms;
	uint64_t memory_bytes, memory_free_bytes;
	uint64_t seen_ms; /* CLOCK_BOOTTIME of the last word about it */
};

int live_start(struct api *a, struct live **ret, struct err *e) MUST_CHECK;
/** live_stop() - Ask the thread to end and wait for it */
void live_stop(struct live *l);

/** live_get() - Copy one member; false when nothing is known of it */
bool live_get(struct live *l, uint32_t id, struct live_member *ret);

/** live_connected() - Does comosixd talk to us? */
bool live_connected(struct live *l);

#endif
