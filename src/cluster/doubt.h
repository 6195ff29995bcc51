/* SPDX-License-Identifier: GPL-2.0-or-later */
/* doubt.h - silent members: asked, suspected, declared dead (internal to cluster/) */
#ifndef CLUSTER_DOUBT_H
#define CLUSTER_DOUBT_H

#include "cluster/state.h"

/** doubt_due() - Look who is silent, take doubts a step on, answer errands, try the dead again */
void doubt_due(struct cluster *c, uint64_t now_ms);

/** doubt_deadline() - When that has something to do */
uint64_t doubt_deadline(const struct cluster *c);

/** doubt_heard() - A sign of life of m came: ends the doubt about it unless it is an old one */
void doubt_heard(struct cluster *c, uint64_t now_ms, struct member *m);

/** doubt_holds() - We ourselves accuse m, and what we last heard is as old as that */
bool doubt_holds(const struct cluster *c, uint64_t now_ms, const struct member *m);

/** doubt_drop() - Forget the doubt about m, if any */
void doubt_drop(struct cluster *c, struct member *m);

/** doubt_witness() - Core member @from got no answer from m either */
void doubt_witness(struct cluster *c, uint64_t now_ms, struct member *m, uint32_t from);

/** doubt_woke() - We were not running: what we waited for may have come and gone */
void doubt_woke(struct cluster *c, uint64_t now_ms);

/* messages of the four kinds, after their entries have been taken in */
void doubt_ping(struct cluster *c, uint64_t now_ms, struct member *from,
		const struct gossip_msg *m);
void doubt_ack(struct cluster *c, uint64_t now_ms, struct member *from, const struct gossip_msg *m);
void doubt_ping_req(struct cluster *c, uint64_t now_ms, struct member *from,
		    const struct gossip_msg *m);
void doubt_nack(struct cluster *c, struct member *from, const struct gossip_msg *m);

#endif
