/* SPDX-License-Identifier: GPL-2.0-or-later */
/* table.c - the rows of syscalls.def and cases.def, and which of them a call falls under */
#include "forward/table/table.h"

#include <asm/unistd_64.h>
#include <assert.h>
#include <stddef.h>

#include "base/attr.h"

/* a call of the kernel's header without a row, or with a wrong number, does not compile */
enum number {
#define CALL(nr, name, class_, spec_, why_) NUMBER_##name = (nr),
#include "forward/table/syscalls.def"
#undef CALL
};
#define NUMBER(name) static_assert(NUMBER_##name == __NR_##name, "syscalls.def: row of " #name);
#include "forward/kernel_numbers.h" /* made by kernel_numbers.sh */
#undef NUMBER

struct raw_row {
	const char *name, *spec, *why;
	enum table_class class;
};

static const struct raw_row rows[] = {
#define CALL(nr, name_, class_, spec_, why_)                                                       \
	[nr] = { .name = #name_, .class = TABLE_##class_, .spec = (spec_), .why = (why_) },
#include "forward/table/syscalls.def"
#undef CALL
};

static const struct table_case cases[] = {
#define CASE(call, mask_, value_, what_, class_, spec_, why_)                                      \
	{ .mask = (mask_),                                                                         \
	  .value = (value_),                                                                       \
	  .what = (what_),                                                                         \
	  .class = TABLE_##class_,                                                                 \
	  .spec = (spec_),                                                                         \
	  .why = (why_) },
#include "forward/table/cases.def"
#undef CASE
};

static const uint16_t case_calls[] = {
#define CASE(call, mask_, value_, what_, class_, spec_, why_) NUMBER_##call,
#include "forward/table/cases.def"
#undef CASE
};
static_assert(ARRAY_LEN(cases) == ARRAY_LEN(case_calls), "one call for each case");

uint32_t table_end(void)
{
	return ARRAY_LEN(rows);
}

/* "?3 f i" or "?12": which arguments choose the case; returns what follows */
static const char *take_keys(const char *spec, struct table_row *row)
{
	row->key = TABLE_ARG_NONE;
	row->key_low = TABLE_ARG_NONE;
	if (!spec || spec[0] != '?')
		return spec;
	row->key = (uint8_t)(spec[1] - '0');
	spec += 2;
	if (*spec >= '0' && *spec <= '5')
		row->key_low = (uint8_t)(*spec++ - '0');
	/* nothing but the keys: what no case names cannot be forwarded */
	return *spec == ' ' ? spec + 1 : NULL;
}

static void find_cases(uint32_t nr, struct table_row *row)
{
	size_t first = 0, n = 0;

	while (first < ARRAY_LEN(cases) && case_calls[first] != nr)
		first++;
	while (first + n < ARRAY_LEN(cases) && case_calls[first + n] == nr)
		n++;
	row->cases = n ? &cases[first] : NULL;
	row->n_cases = (uint16_t)n;
}

bool table_row(uint32_t nr, struct table_row *ret)
{
	const struct raw_row *raw;

	if (nr >= ARRAY_LEN(rows) || !rows[nr].name)
		return false;
	raw = &rows[nr];
	*ret = (struct table_row){ .name = raw->name, .class = raw->class, .why = raw->why };
	ret->spec = take_keys(raw->spec, ret);
	if (ret->key != TABLE_ARG_NONE)
		find_cases(nr, ret);
	return true;
}

struct table_verdict table_judge(uint32_t nr, const uint64_t args[6])
{
	struct table_row row;
	uint64_t key;

	if (!table_row(nr, &row))
		return (struct table_verdict){ .class = TABLE_RETURN,
					       .why = "home's kernel may know this number" };
	if (row.key != TABLE_ARG_NONE) {
		key = args[row.key];
		if (row.key_low != TABLE_ARG_NONE)
			key = (uint32_t)(key << 16 | (args[row.key_low] & 0xffff));
		for (size_t i = 0; i < row.n_cases; i++)
			if ((key & row.cases[i].mask) == row.cases[i].value)
				return (struct table_verdict){ .class = row.cases[i].class,
							       .spec = row.cases[i].spec,
							       .why = row.cases[i].why };
	}
	return (struct table_verdict){ .class = row.class, .spec = row.spec, .why = row.why };
}

const char *table_name(uint32_t nr)
{
	return nr < ARRAY_LEN(rows) && rows[nr].name ? rows[nr].name : "?";
}

static const struct {
	const char *name, *what;
} texts[] = {
#define TABLE_TEXT(name, what) [TABLE_##name] = { #name, what },
	TABLE_CLASSES(TABLE_TEXT)
#undef TABLE_TEXT
};

const char *table_class_name(enum table_class class)
{
	return class < ARRAY_LEN(texts) ? texts[class].name : "?";
}

const char *table_class_what(enum table_class class)
{
	return class < ARRAY_LEN(texts) ? texts[class].what : "?";
}
