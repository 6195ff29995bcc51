/* SPDX-License-Identifier: GPL-2.0-or-later */
/* liar.h - the desktops that lie */
#ifndef TESTS_SIM_LIAR_H
#define TESTS_SIM_LIAR_H

#include "scenario.h"

void liar_begin(struct run *r);
void liar_move(struct run *r, uint32_t number);

/** liar_speak() - One lie of this node; which one, the number says */
void liar_speak(struct run *r, uint32_t liar, uint32_t number);

/**
 * liar_believed() - How many views say what only a liar has said
 * @deaths:	Count members thought gone too: when nobody is
 */
uint64_t liar_believed(struct sim *s, bool deaths);

#endif
