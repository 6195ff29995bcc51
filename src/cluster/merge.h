/* SPDX-License-Identifier: GPL-2.0-or-later */
/* merge.h - what others say becomes what we know (internal to cluster/) */
#ifndef CLUSTER_MERGE_H
#define CLUSTER_MERGE_H

#include "cluster/state.h"

/**
 * merge_entries() - Take in what a message says, as far as its sender may say it
 * @from:	Listed, not revoked, its packet is counted as a sign of life already
 *
 * Pointers to members die: look @from up again.
 */
void merge_entries(struct cluster *c, uint64_t now_ms, struct member *from,
		   const struct gossip_msg *msg);

#endif
