/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_runner.c - the pure parts of comosix-runner; the rest is in tests/system/runner.py */
#include <errno.h>

#include "node/runner/environment.h"
#include "node/runner/family.h"
#include "test.h"

static const char *find(char **env, const char *name)
{
	size_t len = strlen(name);

	for (; *env; env++)
		if (!strncmp(*env, name, len) && (*env)[len] == '=')
			return *env + len + 1;
	return NULL;
}

static void what_may_pass(void **state)
{
	static const char *const yes[] = { "TERM=x", "TERM=",  "LANG=C",      "LC_ALL=C",
					   "LC_=x",  "TZ=UTC", "COMOSIX_X=1", "LANGUAGE=de" };
	static const char *const no[] = {
		"",
		"TERM",
		"=",
		"=x",
		"PATH=/x",
		"TERMX=1",
		"LD_PRELOAD=/x",
		"LC ALL=1",
		"LC_\n=1",
		"HOME=/",
		"L=1",
		"COMOSIX=1",
		"COMOSIX_SOCKET=x",
		"COMOSIX_OPERATOR=x",
		"9LC_=1",
		"COMOSIX_NODE=x",
		"LC_A\xff=1",
	};

	for (size_t i = 0; i < ARRAY_LEN(yes); i++)
		assert_true(environment_may_pass(yes[i]));
	for (size_t i = 0; i < ARRAY_LEN(no); i++)
		assert_false(environment_may_pass(no[i]));
}

static void an_environment_is_bounded(void **state)
{
	const struct user u = { .uid = 1000, .name = "kim", .home = "/home/kim" };
	char *wishes[ENVIRONMENT_WISHES_MAX + 10];
	char names[ARRAY_LEN(wishes)][32];
	char **env;
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(wishes); i++) {
		(void)snprintf(names[i], sizeof(names[i]), "COMOSIX_%zu=%zu", i, i);
		wishes[i] = names[i];
	}
	wishes[1] = (char *)"LANG=de_DE.UTF-8";
	wishes[2] = (char *)"LANG=fr_FR.UTF-8"; /* the last one counts */
	env = environment_new(&u, "n7", wishes, ARRAY_LEN(wishes), true);
	assert_non_null(env);
	assert_string_equal(find(env, "LANG"), "fr_FR.UTF-8");
	assert_string_equal(find(env, "TERM"), "dumb");
	assert_string_equal(find(env, "SHELL"), "/bin/sh");
	assert_string_equal(find(env, "COMOSIX_NODE"), "n7");
	assert_non_null(find(env, "COMOSIX_63"));
	assert_null(find(env, "COMOSIX_64"));
	while (env[n])
		n++;
	assert_int_equal(n, 8 + ENVIRONMENT_WISHES_MAX - 2);
	environment_free(env);
	environment_free(NULL);
}

static void roots_path_has_sbin(void **state)
{
	const struct user root = { .name = "root", .home = "/root", .shell = "/bin/bash" };
	char **env = environment_new(&root, "n7", NULL, 0, false);

	assert_non_null(strstr(find(env, "PATH"), "/usr/sbin"));
	assert_null(find(env, "TERM"));
	environment_free(env);
}

static void lines_of_proc(void **state)
{
	static const struct {
		const char *line;
		int ret;
		struct family_member m;
	} rows[] = {
		{ "12 (sh) S 3 12 12 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 777 1 1",
		  0,
		  { 12, 3, 'S', 777 } },
		{ "12 (a) R 9 (b) S 3 12 12 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 777 1 1",
		  0,
		  { 12, 3, 'S', 777 } },
		{ "12 (\n) Z) Z 1 12 12 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 5",
		  0,
		  { 12, 1, 'Z', 5 } },
		{ "", -EINVAL, { 0 } },
		{ "12", -EINVAL, { 0 } },
		{ "12 (sh", -EINVAL, { 0 } },
		{ "12 (sh) S 3 12", -EINVAL, { 0 } },
		{ "-1 (sh) S 3 12 12 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 777", -EINVAL, { 0 } },
		{ "x (sh) S 3 12 12 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 777", -EINVAL, { 0 } },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct family_member m = { 0 };

		assert_int_equal(family_parse_stat(rows[i].line, &m), rows[i].ret);
		assert_int_equal(m.pid, rows[i].m.pid);
		assert_int_equal(m.parent, rows[i].m.parent);
		assert_int_equal(m.state, rows[i].m.state);
		assert_int_equal(m.start, rows[i].m.start);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_may_pass),
		cmocka_unit_test(an_environment_is_bounded),
		cmocka_unit_test(roots_path_has_sbin),
		cmocka_unit_test(lines_of_proc),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
