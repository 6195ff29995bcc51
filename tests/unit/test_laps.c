/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_laps.c - laps of a stopwatch as words */
#include "migrate/laps.h"
#include "test.h"

static void laps_are_told(void **state)
{
	static const struct {
		uint64_t at_us[4];
		const char *names[4], *want;
	} rows[] = {
		{ { 0 }, { NULL }, "" },
		{ { 1234 }, { "seize" }, "seize 1.23" },
		{ { 5, 2010, 2010 }, { "seize", "read", "go" }, "seize 0.00, read 2.00, go 0.00" },
		/* one that goes on is one */
		{ { 100, 300, 1000 }, { "send", "send", "go" }, "send 0.30, go 0.70" },
	};
	char text[LAPS_TEXT_MAX];
	struct laps l;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		laps_start(&l, 0);
		for (int k = 0; k < 4 && rows[i].names[k]; k++)
			laps_mark(&l, rows[i].names[k], rows[i].at_us[k]);
		assert_string_equal(laps_text(&l, text), rows[i].want);
	}
}

static void too_many_are_not_kept(void **state)
{
	static const char *const names[] = {
		"a name that is long enough to fill the text in the end",
		"another name, which is as long, so that it is not the same"
	};
	char text[LAPS_TEXT_MAX];
	struct laps l;

	laps_start(&l, 0);
	for (uint64_t i = 0; i < 3 * LAPS_MAX; i++)
		laps_mark(&l, names[i % 2], i);
	assert_int_equal(l.n, LAPS_MAX);
	assert_true(strlen(laps_text(&l, text)) < LAPS_TEXT_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(laps_are_told),
		cmocka_unit_test(too_many_are_not_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
