/* SPDX-License-Identifier: GPL-2.0-or-later */
/* watch.h - who watches whom (internal to cluster/) */
#ifndef CLUSTER_WATCH_H
#define CLUSTER_WATCH_H

#include "cluster/state.h"

/**
 * watch_survey() - Bring the lists of core members, watched members and own watchers up to date
 *
 * Does nothing when nothing has changed that they are made from.
 *
 * Return: 0, or -ENOMEM (the old lists are kept, shortened to members that still exist)
 */
int watch_survey(struct cluster *c, uint64_t now_ms) MUST_CHECK;

/** watch_top() - The core members that watch this one, best first; ourselves among them
 *
 * Return: how many ids were written, at most @max
 */
uint32_t watch_top(const struct cluster *c, uint32_t id, uint32_t *ret_ids, uint32_t max);

/** watch_report_ms() - How often a node of this role reports */
uint64_t watch_report_ms(const struct cluster *c, uint8_t role);

/** watch_limit_ms() - The silence of a watched member after which it is asked */
uint64_t watch_limit_ms(const struct cluster *c, const struct member *m);

/** watch_silence_ms() - For how long there was no sign of life, as far as we could have heard it */
uint64_t watch_silence_ms(const struct cluster *c, uint64_t now_ms, const struct member *m);

#endif
