/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_err.c - the reason of a failure */
#include <errno.h>

#include "test.h"

static void a_failure_is_told(void **state)
{
	struct err e = { 0 };

	assert_int_equal(err_set(&e, -ENOENT, "open '%s'", "x"), -ENOENT);
	assert_int_equal(e.code, -ENOENT);
	assert_string_equal(e.text, "open 'x'");
}

static void nobody_need_listen(void **state)
{
	assert_int_equal(err_set(NULL, -EPERM, "no"), -EPERM);
	assert_int_equal(err_prefix(NULL, "while"), -EIO);
}

static void context_goes_in_front(void **state)
{
	struct err e = { 0 };

	(void)err_set(&e, -EACCES, "write '%s'", "f");
	assert_int_equal(err_prefix(&e, "node %d", 7), -EACCES);
	assert_int_equal(err_prefix(&e, "join"), -EACCES);
	assert_string_equal(e.text, "join: node 7: write 'f'");
}

/* what is too long is cut, ended, and keeps its code */
static void long_text_is_cut(void **state)
{
	char text[2 * ERR_TEXT_MAX];
	struct err e;

	memset(text, 'a', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	memset(&e, 'z', sizeof(e));
	assert_int_equal(err_set(&e, -EINVAL, "%s", text), -EINVAL);
	assert_int_equal(strlen(e.text), ERR_TEXT_MAX - 1);
	assert_int_equal(err_prefix(&e, "in front"), -EINVAL);
	assert_int_equal(strlen(e.text), ERR_TEXT_MAX - 1);
	assert_int_equal(strncmp(e.text, "in front: aaa", 13), 0);
	assert_int_equal(err_prefix(&e, "%s", text), -EINVAL);
	assert_int_equal(strlen(e.text), ERR_TEXT_MAX - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_failure_is_told),
		cmocka_unit_test(nobody_need_listen),
		cmocka_unit_test(context_goes_in_front),
		cmocka_unit_test(long_text_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
