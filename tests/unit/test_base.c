/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_base.c - parsing and containers of base/ */
#include <errno.h>

#include "test.h"

#include "base/buf.h"
#include "base/hostlist.h"
#include "base/list.h"
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

static void parse_reals(void **state)
{
	static const struct {
		const char *text;
		int want;
		double value;
	} rows[] = {
		{ "0.5", 0, 0.5 },    { "2", 0, 2 },	       { "1e-5", 0, 1e-5 },
		{ ".25", 0, 0.25 },   { "1e999", -ERANGE, 7 }, { "0x10", -EINVAL, 7 },
		{ "-1", -EINVAL, 7 }, { "nan", -EINVAL, 7 },   { "inf", -EINVAL, 7 },
		{ ".", -EINVAL, 7 },  { "1.5 ", -EINVAL, 7 },  { "", -EINVAL, 7 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		double v = 7;

		assert_int_equal(parse_double(rows[i].text, &v), rows[i].want);
		assert_true(v == rows[i].value);
	}
}

static void parse_small_numbers(void **state)
{
	uint32_t v = 7;

	assert_int_equal(parse_u32("4294967295", &v), 0);
	assert_true(v == UINT32_MAX);
	v = 7;
	assert_int_equal(parse_u32("4294967296", &v), -ERANGE);
	assert_int_equal(v, 7);
}

static void hexadecimal(void **state)
{
	static const uint8_t bytes[] = { 0x00, 0xff, 0xa0 };
	char text[7];

	hex_format(bytes, sizeof(bytes), text);
	assert_string_equal(text, "00ffa0");
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

static void buffers_hold_numbers_and_text(void **state)
{
	static const uint8_t want[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };
	struct buf b;

	buf_init(&b, 100);
	assert_string_equal(buf_text(&b), "");
	assert_int_equal(buf_put_u8(&b, 1), 0);
	assert_int_equal(buf_put_u16be(&b, 0x0203), 0);
	assert_int_equal(buf_put_u32be(&b, 0x04050607), 0);
	assert_int_equal(buf_put_u64be(&b, 0x08090a0b0c0d0e0fULL), 0);
	assert_int_equal(b.len, sizeof(want));
	assert_memory_equal(buf_bytes(&b), want, sizeof(want));
	buf_reset(&b);
	assert_int_equal(buf_printf(&b, "%s-%d", "n", 7), 0);
	assert_string_equal(buf_text(&b), "n-7");
	assert_int_equal(buf_printf(&b, "%100d", 1), -ENOBUFS);
	assert_string_equal(buf_text(&b), "n-7");
	buf_done(&b);
	buf_done(NULL);
}

static void lists(void **state)
{
	struct item {
		int n;
		struct list link;
	} items[4];
	struct list head;
	int sum = 0;

	list_init(&head);
	list_for_each (l, &head)
		fail();
	for (int i = 0; i < 4; i++) {
		items[i].n = i + 1;
		list_add(&head, &items[i].link);
	}
	list_for_each (l, &head)
		sum = sum * 10 + list_entry(l, struct item, link)->n;
	assert_int_equal(sum, 1234);
	list_for_each_safe (l, &head)
		if (list_entry(l, struct item, link)->n % 2 == 0)
			list_del(l);
	list_del(&items[1].link); /* twice does no harm */
	sum = 0;
	list_for_each (l, &head)
		sum = sum * 10 + list_entry(l, struct item, link)->n;
	assert_int_equal(sum, 13);
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

/* rows of a command line that must be refused, with what the message must name */
static void wrong_options(void **state)
{
	struct target {
		bool loud;
		uint32_t n;
	};
	static const struct opt_spec specs[] = {
		{ "loud", 'l', OPT_FLAG, offsetof(struct target, loud), NULL, "say more" },
		{ "count", 'n', OPT_U32, offsetof(struct target, n), "N", "how many" },
	};
	static const struct {
		const char *words[2];
		const char *names;
	} rows[] = {
		{ { "--count" }, "--count" },	 { { "--count", "x" }, "'x'" },
		{ { "--loud=yes" }, "--loud" },	 { { "-q" }, "-q" },
		{ { "--coun", "3" }, "--coun" }, { { "-n", "4294967296" }, "4294967296" },
	};
	struct opt_command cmd = {
		.name = "x", .summary = "y", .specs = specs, .n_specs = ARRAY_LEN(specs)
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *argv[] = { (char *)"x", (char *)rows[i].words[0], (char *)rows[i].words[1],
				 NULL };
		struct target t = { 0 };
		struct err e = { 0 };
		int first;

		assert_int_equal(opt_parse(&cmd, argv[2] ? 3 : 2, argv, &t, &first, &e), -EINVAL);
		assert_non_null(strstr(e.text, rows[i].names));
		assert_int_equal(t.n, 0);
	}
}

static void help_tells_every_option(void **state)
{
	static const struct opt_spec specs[] = {
		{ "loud", 'l', OPT_FLAG, 0, NULL, "say more" },
		{ "count", 0, OPT_U32, 0, "N", "how many" },
	};
	static const char *const wanted[] = {
		"Usage: x [options] NODE", "-l, --loud", "say more", "--count N", "how many",
		"Examples:\n  x n1\n"
	};
	struct opt_command cmd = { .name = "x",
				   .args = "NODE",
				   .summary = "does y",
				   .examples = "  x n1\n",
				   .specs = specs,
				   .n_specs = ARRAY_LEN(specs) };
	struct buf b;

	buf_init(&b, 4096);
	assert_int_equal(opt_help(&cmd, &b), 0);
	for (size_t i = 0; i < ARRAY_LEN(wanted); i++)
		assert_non_null(strstr(buf_text(&b), wanted[i]));
	buf_done(&b);
	buf_init(&b, 10); /* no room is an error, not a cut help */
	assert_int_equal(opt_help(&cmd, &b), -ENOBUFS);
	buf_done(&b);
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

/* the first outputs of the published reference code from the state {1, 2, 3, 4} */
static void numbers_are_those_of_the_paper(void **state)
{
	static const uint64_t want[] = {
		11520, 0, 1509978240, 1215971899390074240, 1216172134540287360, 607988272756665600
	};
	struct rng r = { { 1, 2, 3, 4 } };

	for (size_t i = 0; i < ARRAY_LEN(want); i++)
		assert_true(rng_u64(&r) == want[i]);
	for (int i = 0; i < 1000; i++) {
		double u = rng_unit(&r);

		assert_true(u >= 0 && u < 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parse_numbers),
		cmocka_unit_test(parse_small_numbers),
		cmocka_unit_test(parse_units),
		cmocka_unit_test(parse_reals),
		cmocka_unit_test(hexadecimal),
		cmocka_unit_test(hostlists),
		cmocka_unit_test(buffers),
		cmocka_unit_test(buffers_hold_numbers_and_text),
		cmocka_unit_test(lists),
		cmocka_unit_test(options),
		cmocka_unit_test(wrong_options),
		cmocka_unit_test(help_tells_every_option),
		cmocka_unit_test(same_seed_same_numbers),
		cmocka_unit_test(numbers_are_those_of_the_paper),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
