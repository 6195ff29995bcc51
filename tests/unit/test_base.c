/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_base.c - parsing and containers of base/ */
#include <errno.h>

#include "test.h"

#include "base/buf.h"
#include "base/hostlist.h"
#include "base/opt.h"
#include "base/parse.h"
#include "base/rng.h"

static void parse_numbers(void **state)
{
	static const struct {
		const char *text;
		int want;
		uint64_t value;
	} rows[] = {
		{ "0", 0, 0 },
		{ "18446744073709551615", 0, UINT64_MAX },
		{ "18446744073709551616", -ERANGE, 0 },
		{ "", -EINVAL, 0 },
		{ " 1", -EINVAL, 0 },
		{ "-1", -EINVAL, 0 },
		{ "1x", -EINVAL, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint64_t v = 0;

		assert_int_equal(parse_u64(rows[i].text, &v), rows[i].want);
		assert_true(v == rows[i].value);
	}
}

static void parse_units(void **state)
{
	uint64_t v;

	assert_int_equal(parse_size("64M", &v), 0);
	assert_true(v == 64ULL << 20);
	assert_int_equal(parse_size("99999999T", &v), -ERANGE);
	assert_int_equal(parse_size("1Q", &v), -EINVAL);
	assert_int_equal(parse_duration("10m", &v), 0);
	assert_true(v == 600000);
	assert_int_equal(parse_duration("10", &v), -EINVAL);
}

static void hostlists(void **state)
{
	static const struct {
		const char *text;
		int want;
		const char *names; /* joined by spaces */
	} rows[] = {
		{ "n1", 0, "n1" },
		{ "n[1-3],head", 0, "n1 n2 n3 head" },
		{ "n[1-4,!2]", 0, "n1 n3 n4" },
		{ "n[08-10]x", 0, "n08x n09x n10x" },
		{ "n1,n1", 0, "n1" },
		{ "n[3-1]", -EINVAL, "" },
		{ "n[1", -EINVAL, "" },
		{ "", -EINVAL, "" },
		{ "a,,b", -EINVAL, "" },
		{ "n[0-99999]", -E2BIG, "" },
		{ "n[0-65535,0-65535,0-65535,0-65535,0]", -E2BIG, "" },
		{ "n[1-3],n[!2],n2", 0, "n1 n3 n2" },
		{ "n[!1]", -EINVAL, "" },
		{ "n[1-2,!1-2]", -EINVAL, "" },
		{ "../etc", -EINVAL, "" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct hostlist h = { 0 };
		struct buf b;

		buf_init(&b, 4096);
		assert_int_equal(hostlist_parse(rows[i].text, &h, NULL), rows[i].want);
		for (size_t k = 0; k < h.n; k++)
			assert_int_equal(buf_printf(&b, "%s%s", k ? " " : "", h.names[k]), 0);
		assert_string_equal(buf_text(&b), rows[i].names);
		hostlist_done(&h);
		buf_done(&b);
	}
}

static void buffers(void **state)
{
	struct buf b;

	buf_init(&b, 8);
	assert_int_equal(buf_put(&b, "abcdef", 6), 0);
	buf_eat(&b, 4);
	assert_int_equal(buf_put(&b, "ghijkl", 6), 0);
	assert_memory_equal(buf_bytes(&b), "efghijkl", 8);
	assert_int_equal(buf_put_u8(&b, 1), -ENOBUFS);
	assert_int_equal(b.len, 8);
	buf_done(&b);
}

static void options(void **state)
{
	struct target {
		bool loud;
		uint32_t n;
		const char *name;
	} t = { 0 };
	static const struct opt_spec specs[] = {
		{ "loud", 'l', OPT_FLAG, offsetof(struct target, loud), NULL, "say more" },
		{ "count", 'n', OPT_U32, offsetof(struct target, n), "N", "how many" },
		{ "name", 0, OPT_STRING, offsetof(struct target, name), "NAME", "who" },
	};
	struct opt_command cmd = {
		.name = "x", .summary = "y", .specs = specs, .n_specs = ARRAY_LEN(specs)
	};
	const char *argv[] = { "x", "w1", "-n", "3", "w2", "--name=me", "-l", "--", "-w3", NULL };
	int first;

	assert_int_equal(opt_parse(&cmd, 9, (char **)argv, &t, &first, NULL), 0);
	assert_true(t.loud && t.n == 3);
	assert_string_equal(t.name, "me");
	assert_int_equal(9 - first, 3);
	assert_string_equal(argv[first], "w1");
	assert_string_equal(argv[first + 1], "w2");
	assert_string_equal(argv[first + 2], "-w3");

	const char *bad[] = { "x", "--nome", "z", NULL };
	struct err e = { 0 };

	assert_int_equal(opt_parse(&cmd, 3, (char **)bad, &t, &first, &e), -EINVAL);
	assert_non_null(strstr(e.text, "--nome"));
}

static void same_seed_same_numbers(void **state)
{
	struct rng a, b;

	rng_init(&a, 42);
	rng_init(&b, 42);
	for (int i = 0; i < 1000; i++) {
		uint32_t v = rng_below(&a, 10);

		assert_true(v < 10);
		assert_int_equal(v, rng_below(&b, 10));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parse_numbers), cmocka_unit_test(parse_units),
		cmocka_unit_test(hostlists),	 cmocka_unit_test(buffers),
		cmocka_unit_test(options),	 cmocka_unit_test(same_seed_same_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
