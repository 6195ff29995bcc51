/* SPDX-License-Identifier: GPL-2.0-or-later */
/* spread.h - what is told to whom (internal to cluster/) */
#ifndef CLUSTER_SPREAD_H
#define CLUSTER_SPREAD_H

#include "cluster/state.h"

/** spread_due() - Reports and packets of entries whose time has come */
void spread_due(struct cluster *c, uint64_t now_ms);

/** spread_deadline() - When that will be */
uint64_t spread_deadline(const struct cluster *c);

/**
 * spread_control() - Send a small message: ourselves and, when not NULL, what we hold of @about
 *
 * Return: false when it was not sent: no way there, or no bandwidth left. Most callers need not
 * ask, because a packet may be lost after that as well
 */
bool spread_control(struct cluster *c, uint64_t now_ms, struct member *to, enum gossip_kind kind,
		    uint32_t number, uint32_t subject, struct member *about);

/**
 * spread_notice() - Tell a member what is said of it, so that it can contradict
 * @said:	Sent as it is when not NULL, else what we hold
 */
void spread_notice(struct cluster *c, uint64_t now_ms, struct member *m,
		   const struct gossip_entry *said);

#endif
