/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_exec.c - the pure parts of comosix exec; the rest is in tests/system/exec.py */
#include <errno.h>

#include "ctl/command.h"
#include "ctl/exec_report.h"
#include "ctl/exec_targets.h"
#include "ctl/exec_tty.h"
#include "test.h"

static struct exec_member rows[] = {
	{ .name = "n2", .alive = true },
	{ .name = "head", .alive = true },
	{ .name = "d1", .desktop = true },
	{ .name = "n1", .alive = true },
	{ .name = "gone", .gone = true },
	{ .name = "d2", .desktop = true, .alive = true },
	{ .name = "old", .desktop = true, .gone = true },
};

static struct exec_members members = { rows, ARRAY_LEN(rows) };

/* the names with spaces between, or the error */
static void finds(const char *word, int want, const char *names)
{
	struct exec_target *t = NULL;
	struct err e = { 0 };
	char text[256] = "";
	size_t n = 0, at = 0;

	assert_int_equal(exec_targets_find(word, &members, &t, &n, &e), want);
	for (size_t i = 0; i < n; i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%s", i ? " " : "",
				       t[i].name);
	assert_string_equal(text, names);
	assert_int_equal(want < 0, e.text[0] != 0);
	free(t);
}

static void targets(void **state)
{
	exec_members_sort(&members);
	finds("n1", 0, "n1");
	finds("n2,n1,n2", 0, "n2 n1");
	finds("n[1-2],head", 0, "n1 n2 head");
	finds("@all", 0, "d1 d2 head n1 n2");
	finds("@alive", 0, "d2 head n1 n2");
	finds("@servers", 0, "head n1 n2");
	finds("@desktops", 0, "d1 d2");
	finds("@all,!@desktops,!n2", 0, "head n1");
	finds("n2,@alive", 0, "n2 d2 head n1");
	finds("@all,!n1,n1", 0, "d1 d2 head n2 n1");
	finds("gone", 0, "gone"); /* who names it shall hear what is wrong with it */
	finds("n3", -ENOENT, "");
	finds("n1,n3", -ENOENT, "");
	finds("n1,!n1", -ENOENT, "");
	finds("!n1", -ENOENT, "");
	finds("@nobody", -EINVAL, "");
	finds("@", -EINVAL, "");
	finds("", -EINVAL, "");
	finds("n1,", -EINVAL, "");
	finds("n[1", -EINVAL, "");
	finds("n1]]],n2", -EINVAL, "");
}

static void nobody_is_there(void **state)
{
	const struct exec_members none = { 0 };
	struct exec_target *t = NULL;
	size_t n;

	assert_int_equal(exec_targets_find("@all", &none, &t, &n, NULL), -ENOENT);
	assert_int_equal(exec_targets_find("n1", &none, &t, &n, NULL), -ENOENT);
}

static const struct exec_target names[] = {
	{ .name = "n1" }, { .name = "n2" }, { .name = "n3" }, { .name = "n4" }
};

static struct exec_node ended(size_t i, enum exec_result result, uint32_t status)
{
	return (struct exec_node){
		.target = &names[i], .state = EXEC_ENDED, .result = result, .status = status
	};
}

static void summary_is(const struct exec_node *nodes, size_t n, const char *want)
{
	struct buf b;

	buf_init(&b, 4096);
	assert_int_equal(exec_report_summary(nodes, n, &b), 0);
	assert_string_equal(buf_text(&b), want);
	buf_done(&b);
}

static void reports(void **state)
{
	struct exec_node x[4] = { ended(0, EXEC_EXITED, 0), ended(1, EXEC_EXITED, 0),
				  ended(2, EXEC_EXITED, 0), ended(3, EXEC_EXITED, 0) };
	static const struct {
		enum exec_result result;
		uint32_t status;
		int one, four;
	} table[] = {
		{ EXEC_EXITED, 0, 0, 0 },
		{ EXEC_EXITED, 7, 7, EXIT_SOME_FAILED },
		{ EXEC_EXITED, 127, 127, EXIT_SOME_FAILED },
		{ EXEC_REFUSED, 0, EXIT_REFUSED, EXIT_SOME_FAILED },
		{ EXEC_UNREACHABLE, 0, 125, EXIT_SOME_FAILED },
		{ EXEC_LOST, 0, 125, EXIT_SOME_FAILED },
		{ EXEC_TIMED_OUT, 0, EXIT_TIMED_OUT, EXIT_TIMED_OUT },
		{ EXEC_INTERRUPTED, 0, 130, EXIT_SOME_FAILED },
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		x[2] = ended(2, table[i].result, table[i].status);
		assert_int_equal(exec_report_status(&x[2], 1, 0), table[i].one);
		assert_int_equal(exec_report_status(x, 4, 0), table[i].four);
		assert_int_equal(exec_report_status(x, 4, 2), 130);
	}
	summary_is(x, 2, "2 ok");
	x[0] = ended(0, EXEC_EXITED, 1);
	x[1] = ended(1, EXEC_EXITED, 127);
	x[2] = ended(2, EXEC_UNREACHABLE, 0);
	summary_is(x, 4, "1 ok, 2 failed: n1 (exit 1), n2 (exit 127); 1 unreachable: n3");
	for (size_t i = 0; i < 4; i++)
		x[i] = ended(i, EXEC_REFUSED, 0);
	summary_is(x, 4, "0 ok, 4 refused: n1, n2, n3, n4");
	assert_int_equal(exec_report_status(x, 4, 0), EXIT_REFUSED);
}

static void a_summary_is_short(void **state)
{
	struct exec_node many[100];

	for (size_t i = 0; i < ARRAY_LEN(many); i++)
		many[i] = ended(0, EXEC_LOST, 0);
	summary_is(
		many, 22,
		"0 ok, 22 lost while it ran: n1, n1, n1, n1, n1, n1, n1, n1, n1, n1, n1, n1, n1, "
		"n1, n1, n1, n1, n1, n1, n1 and 2 more");
}

static void json(void **state)
{
	static const struct {
		const char *bytes, *text;
	} table[] = {
		{ "plain", "plain" },
		{ "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80" },
		{ "a\xff"
		  "b",
		  "a\xef\xbf\xbd"
		  "b" },
		{ "\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd" },		    /* overlong */
		{ "\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" }, /* surrogate */
		{ "\xe2\x82", "\xef\xbf\xbd\xef\xbf\xbd" },		    /* cut */
		{ "\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct exec_node x = ended(0, EXEC_EXITED, 3);
		char *argv[] = { (char *)"echo", (char *)table[i].bytes };
		json_t *j, *node;

		buf_init(&x.out.text, 64);
		assert_int_equal(buf_put(&x.out.text, table[i].bytes, strlen(table[i].bytes)), 0);
		j = exec_report_json(&x, 1, argv, 2, 3);
		assert_non_null(j);
		node = json_array_get(json_object_get(j, "nodes"), 0);
		assert_string_equal(json_string_value(json_object_get(node, "stdout")),
				    table[i].text);
		assert_string_equal(
			json_string_value(json_array_get(json_object_get(j, "command"), 1)),
			table[i].text);
		assert_int_equal(json_integer_value(json_object_get(node, "exit")), 3);
		assert_int_equal(json_integer_value(json_object_get(j, "failed")), 1);
		json_decref(j);
		buf_done(&x.out.text);
	}
}

static void the_way_out(void **state)
{
	static const struct {
		const char *keys;
		bool out;
	} table[] = {
		{ "~.", true },	   { "x~.", false },   { "x\r~.", true },  { "~~.", false },
		{ "~\r.", false }, { "\r~x.", false }, { "ls\n~.", true }, { "~", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct exec_escape whole = { 0 }, pieces = { 0 };
		const uint8_t *k = (const uint8_t *)table[i].keys;
		bool seen = false;

		assert_int_equal(exec_escape_seen(&whole, k, strlen(table[i].keys)), table[i].out);
		for (; *k; k++)
			seen |= exec_escape_seen(&pieces, k, 1);
		assert_int_equal(seen, table[i].out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(targets), cmocka_unit_test(nobody_is_there),
		cmocka_unit_test(reports), cmocka_unit_test(a_summary_is_short),
		cmocka_unit_test(json),	   cmocka_unit_test(the_way_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
