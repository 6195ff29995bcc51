/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rate.h - how often one address may fail. Pure; the caller locks
 *
 * A bucket per address in a table of fixed size. When the table is full the bucket that is nearest
 * to full again is forgotten: its owner has been quiet the longest. IPv6 addresses count by /64.
 */
#ifndef HEAD_RATE_H
#define HEAD_RATE_H

#include <stdbool.h>
#include <stdint.h>

#include "os/sock.h"

#define RATE_SLOTS 1024

struct rate {
	double burst, per_s;
	struct rate_slot {
		uint8_t key[9]; /* family, then address */
		bool used;
		double left;
		uint64_t at_ms;
	} slots[RATE_SLOTS];
};

void rate_init(struct rate *r, double burst, double per_s);

/** rate_left() - May this address try? Does not count */
bool rate_left(struct rate *r, const struct sock_addr *a, uint64_t now_ms);

/** rate_count() - It failed once */
void rate_count(struct rate *r, const struct sock_addr *a, uint64_t now_ms);

#endif
