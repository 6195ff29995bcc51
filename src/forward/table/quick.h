/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * quick.h - calls whose answer is there at once
 *
 * Both agents may wait in place for the answer to such a call, instead of going back to their loop
 * (migrate/channel.h). Nothing but time depends on what is said here. Pure.
 */
#ifndef FORWARD_TABLE_QUICK_H
#define FORWARD_TABLE_QUICK_H

#include <stdbool.h>
#include <stdint.h>

/** table_is_quick() - Does it wait for nobody, but perhaps for a disk? */
bool table_is_quick(uint32_t nr);

#endif
