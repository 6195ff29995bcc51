/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_again.c - a process that comes home for calls all the time stays there */
#include "cluster/again.h"
#include "test.h"

static void three_within_a_second_are_too_many(void **state)
{
	static const struct {
		uint64_t at_ms[6];
		const char *may; /* a letter for each: y n */
	} rows[] = {
		{ { 0, 1, 2, 3 }, "yynn" },
		{ { 5, 505, 1005, 1006 }, "yynn" },
		{ { 5, 505, 1006, 1506, 2007 }, "yyyyy" },
		{ { 0, 1000, 2000, 2001, 2002 }, "yyyyn" },
		/* one that was moved again by its user */
		{ { 0, 1, 2, 1003, 1004, 1005 }, "yynyyn" },
		{ { 100000, 100900, 101001, 101901, 102002, 102003 }, "yyyyyn" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct again a = { 0 };

		for (size_t k = 0; rows[i].may[k]; k++)
			assert_int_equal(again_may(&a, rows[i].at_ms[k]), rows[i].may[k] == 'y');
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(three_within_a_second_are_too_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
