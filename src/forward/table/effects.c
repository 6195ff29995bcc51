/* SPDX-License-Identifier: GPL-2.0-or-later */
/* effects.c - the rows of effects.def: what a forwarded call changes at home */
#include "forward/table/effects.h"

#include <stddef.h>

#include "base/attr.h"

/* a call without a row there does not compile here */
enum number {
#define CALL(nr, name, class_, spec_, why_) NUMBER_##name = (nr),
#include "forward/table/syscalls.def"
#undef CALL
};

static const struct effect_row {
	uint16_t nr;
	uint8_t argument;
	uint32_t mask, value;
	enum table_effect effect;
} rows[] = {
#define EFFECT(call, ...) EFFECT_ROW(call, __VA_ARGS__)
#define EFFECT_ROW(call, argument_, mask_, value_, effect_)                                        \
	{ .nr = NUMBER_##call,                                                                     \
	  .argument = (argument_),                                                                 \
	  .mask = (mask_),                                                                         \
	  .value = (value_),                                                                       \
	  .effect = EFFECT_##effect_ },
#include "forward/table/effects.def"
#undef EFFECT_ROW
#undef EFFECT
};

enum table_effect table_effect(uint32_t nr, const uint64_t args[6])
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].nr == nr &&
		    ((uint32_t)args[rows[i].argument] & rows[i].mask) == rows[i].value)
			return rows[i].effect;
	return EFFECT_OUTSIDE;
}

static const struct {
	const char *name, *what;
} texts[] = {
#define TABLE_TEXT(name, what) [EFFECT_##name] = { #name, what },
	TABLE_EFFECTS(TABLE_TEXT)
#undef TABLE_TEXT
};

const char *table_effect_name(enum table_effect effect)
{
	return effect < ARRAY_LEN(texts) ? texts[effect].name : "?";
}

const char *table_effect_what(enum table_effect effect)
{
	return effect < ARRAY_LEN(texts) ? texts[effect].what : "?";
}
