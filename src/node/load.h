/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * load.h - how busy this node is, within the limits of its cgroup
 *
 * On a machine of its own a node counts the whole machine; with a limit on CPUs or memory (a
 * container, a lab node) it says what it was given and what it used of that.
 */
#ifndef NODE_LOAD_H
#define NODE_LOAD_H

#include "wire/gossip.h"

struct load_sampler;

int load_sampler_new(struct load_sampler **ret) MUST_CHECK;
void load_sampler_free(struct load_sampler *s);

/** load_profile_of() - Measure the hardware; takes about 20 ms of CPU the first time */
void load_profile_of(struct load_sampler *s, struct load_profile *ret);

/** load_sample() - What it was doing since the last sample */
void load_sample(struct load_sampler *s, uint64_t now_ms, struct load *ret);

#endif
