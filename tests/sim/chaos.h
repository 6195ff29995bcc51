/* SPDX-License-Identifier: GPL-2.0-or-later */
/* chaos.h - all faults at random, then none */
#ifndef TESTS_SIM_CHAOS_H
#define TESTS_SIM_CHAOS_H

#include "scenario.h"

void chaos_prepare(struct sim_config *cfg);
void chaos_begin(struct run *r);
void chaos_move(struct run *r, uint32_t number);

/** chaos_changed() - An incarnation may only rise */
void chaos_changed(struct run *r, struct sim_node *n, const struct cluster_change *ch);

#endif
