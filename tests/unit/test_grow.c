/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_grow.c - an array that doubles keeps its rows */
#include <stdlib.h>

#include "base/grow.h"
#include "test.h"

static void rows_stay_when_it_grows(void **state)
{
	uint64_t *rows = NULL;
	size_t cap = 0;

	(void)state;
	for (size_t n = 0; n < 1000; n++) {
		uint64_t *more = grow(rows, n, &cap, 3, sizeof(*rows));

		assert_non_null(more);
		assert_true(cap > n);
		rows = more;
		rows[n] = n * n;
	}
	assert_int_equal(cap, 1536); /* 3 doubled nine times */
	for (size_t n = 0; n < 1000; n++)
		assert_int_equal(rows[n], n * n);
	assert_ptr_equal(grow(rows, 1000, &cap, 3, sizeof(*rows)), rows); /* there is room */
	free(rows);
}

static void too_much_is_refused(void **state)
{
	size_t cap = SIZE_MAX / 16;
	uint8_t row = 0;

	(void)state;
	assert_null(grow(&row, cap, &cap, 1, 16)); /* and not touched */
	assert_int_equal(cap, SIZE_MAX / 16);
	cap = SIZE_MAX / 2 + 1;
	assert_null(grow(&row, cap, &cap, 1, 1));
	assert_int_equal(cap, SIZE_MAX / 2 + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_stay_when_it_grows),
		cmocka_unit_test(too_much_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
