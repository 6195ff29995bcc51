/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * effects.h - the rows of effects.def: what a forwarded call changes at home
 *
 * Asked by the ledger of a process of which images are kept (migrate/ledger.h). Pure.
 */
#ifndef FORWARD_TABLE_EFFECTS_H
#define FORWARD_TABLE_EFFECTS_H

#include <stdint.h>

#define TABLE_EFFECTS(X)                                                                           \
	X(OUTSIDE, "others may notice it: no way back to an image before it")                      \
	X(NONE, "changes nothing, or what an image has as well")                                   \
	X(READ, "moves the offset of a file; takes something out of everything else")              \
	X(WRITE, "makes a file longer, or changes something outside")                              \
	X(PWRITE, "the same, at an offset of its own")                                             \
	X(OPEN, "one more descriptor of a file")                                                   \
	X(NEW, "one more descriptor")                                                              \
	X(CLOSE, "one descriptor less, or another flag of it")                                     \
	X(REPLACE, "a descriptor becomes another one")                                             \
	X(SELF, "a signal, perhaps to itself")

enum table_effect {
#define TABLE_ENUM(name, what) EFFECT_##name,
	TABLE_EFFECTS(TABLE_ENUM)
#undef TABLE_ENUM
};

/**
 * table_effect() - What a call that was forwarded changes
 * @args:	As they were sent; a pointer counts as 1 when there is one
 */
enum table_effect table_effect(uint32_t nr, const uint64_t args[6]);

/** table_effect_name() - "OUTSIDE" */
const char *table_effect_name(enum table_effect effect);
const char *table_effect_what(enum table_effect effect);

#endif
