/* SPDX-License-Identifier: GPL-2.0-or-later */
/* best.h - the members that would take one more task most cheaply (internal to cluster/) */
#ifndef CLUSTER_BEST_H
#define CLUSTER_BEST_H

#include "cluster/state.h"

/**
 * best_refresh() - Make c->best anew when it is too old
 *
 * What was good and is no longer, and is watched by us, becomes a rumour: those who would still
 * send work there must hear it first.
 */
void best_refresh(struct cluster *c, uint64_t now_ms);

#endif
