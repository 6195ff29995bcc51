/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * idle.h - calls that do nothing but wait
 *
 * Who makes one has nothing else to do until a signal comes. So a signal ends it also where the call
 * was on its way and had not begun: natively it begins too soon for that. Of any other call that had not
 * begun, the handler comes first, for it might be one that no signal ever ends. Pure.
 */
#ifndef FORWARD_TABLE_IDLE_H
#define FORWARD_TABLE_IDLE_H

#include <stdbool.h>
#include <stdint.h>

/**
 * table_is_idle() - Does it only wait, and does any handler end it (signal(7))?
 *
 * Not the sleeps, which end by themselves: who ends one has to say how long it still had.
 */
bool table_is_idle(uint32_t nr);

#endif
