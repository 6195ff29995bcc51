/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_views.c - what a process that is away sees of itself in /proc: text in, text out */
#include "migrate/views.h"

#include <errno.h>

#include "test.h"

static const struct image_limit limits[IMAGE_LIMITS] = {
	[0] = { 60, UINT64_MAX },
	[7] = { 1024, 4096 },
};
static const struct view_hidden hidden = { 0x10000000, 0x15000000, 2 << 20, limits };

static void names_are_found(void **state)
{
	static const struct {
		const char *path;
		enum view_kind kind;
		uint32_t tid;
	} rows[] = {
		{ "/proc/self/status", VIEW_STATUS, 0 },
		{ "/proc/7/stat", VIEW_STAT, 0 },
		{ "/proc/thread-self/stat", VIEW_STAT, 9 },
		{ "/proc/self/task/9/maps", VIEW_MAPS, 9 },
		{ "/proc/7/task/8/statm", VIEW_STATM, 8 },
		{ "/proc/self/mem", VIEW_HOMEWARD, 0 },
		{ "/proc/self/environ", VIEW_GUEST, 0 },
		{ "/proc/8/status", VIEW_NONE, 0 },
		{ "/proc/77/status", VIEW_NONE, 0 },
		{ "/proc/7", VIEW_NONE, 0 },
		{ "/proc/7x/status", VIEW_NONE, 0 },
		{ "/proc/self/limits", VIEW_LIMITS, 0 },
		{ "/proc/self/mounts", VIEW_NONE, 0 },
		{ "/proc/self/statusx", VIEW_NONE, 0 },
		{ "/proc/status", VIEW_NONE, 0 },
		{ "/proc/99999999999999999999/status", VIEW_NONE, 0 },
		{ "proc/self/status", VIEW_NONE, 0 },
		{ "", VIEW_NONE, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct view v;

		view_find(rows[i].path, 7, 9, &v);
		assert_int_equal(v.kind, rows[i].kind);
		if (v.kind != VIEW_NONE)
			assert_int_equal(v.tid, rows[i].tid);
	}
}

static void text_is(enum view_kind kind, const char *home, const char *guest, const char *want)
{
	struct buf b;

	buf_init(&b, 65536);
	assert_int_equal(view_make(kind, home, guest, &hidden, &b), 0);
	assert_string_equal(buf_text(&b), want);
	buf_done(&b);
}

static void status_is_of_both(void **state)
{
	text_is(VIEW_STATUS,
		"Name:\tx\nState:\tS (sleeping)\nTracerPid:\t12\nVmSize:\t   90000 kB\n"
		"VmData:\t 1 kB\nThreads:\t2\nSigBlk:\tffffffffffffffff\nSeccomp:\t0\n",
		"Name:\ty\nState:\tt (tracing stop)\nTracerPid:\t1\nVmSize:\t   83920 kB\n"
		"VmData:\t    2148 kB\nThreads:\t2\nSigBlk:\t0000000000000200\nSeccomp:\t2\n",
		"Name:\tx\nState:\tR (running)\nTracerPid:\t0\nVmSize:\t    2000 kB\n"
		"VmData:\t     100 kB\nThreads:\t2\nSigBlk:\t0000000000000200\nSeccomp:\t0\n");
}

static void stat_is_of_both(void **state)
{
	static const char rest[] = " 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0";

	char home[512], guest[512], want[512];

	(void)snprintf(home, sizeof(home),
		       "7 (a ) b) S 3 4 5 6 7 8 1 0 0 0 10 20 0 0 20 0 2 0 99 1 2%s\n", rest);
	(void)snprintf(guest, sizeof(guest),
		       "7 (z) t 0 0 0 0 0 0 2 0 0 0 30 5 0 0 20 0 2 0 11 83890176 50%s\n", rest);
	(void)snprintf(want, sizeof(want),
		       "7 (a ) b) R 3 4 5 6 7 8 3 0 0 0 40 25 0 0 20 0 2 0 99 4096 50%s\n", rest);
	text_is(VIEW_STAT, home, guest, want);
}

static void statm_has_no_region(void **state)
{
	text_is(VIEW_STATM, "", "20490 5 3 1 0 522 0\n", "10 5 3 1 0 10 0\n");
}

static void maps_have_names(void **state)
{
	text_is(VIEW_MAPS,
		"00400000-00402000 r-xp 00001000 08:01 77                                 /bin/x "
		"y\n"
		"00500000-00501000 rw-p 00000000 00:00 0                                  [heap]\n"
		"00600000-00601000 r--s 00000000 00:05 9                                  /f\n",
		"00401000-00402000 r-xp 00000000 00:00 0 \n"
		"00500000-00501000 rw-p 00000000 00:00 0                                  [heap]\n"
		"00600000-00601000 r--s 00000000 00:01 1 /memfd:mapped (deleted)\n"
		"Size:                  4 kB\n"
		"0fff0000-10200000 rwxp 00000000 00:00 0 \n"
		"10200000-15000000 ---p 00000000 00:00 0 \n"
		"Size:                  5 kB\n",
		"00401000-00402000 r-xp 00002000 08:01 77                                 /bin/x "
		"y\n"
		"00500000-00501000 rw-p 00000000 00:00 0                                  [heap]\n"
		"00600000-00601000 r--s 00000000 00:05 9                                  /f\n"
		"Size:                  4 kB\n"
		"0fff0000-10000000 rwxp 00000000 00:00 0 \n");
}

static void limits_are_the_programs(void **state)
{
	text_is(VIEW_LIMITS,
		"Limit                     Soft Limit           Hard Limit           Units     \n"
		"Max cpu time              unlimited            unlimited            seconds   \n"
		"Max file size             1000                 unlimited            bytes     \n"
		"Max open files            1024                 4600                 files     \n"
		"Max open files\n",
		"",
		"Limit                     Soft Limit           Hard Limit           Units     \n"
		"Max cpu time              60                   unlimited            seconds   \n"
		"Max file size             1000                 unlimited            bytes     \n"
		"Max open files            1024                 4096                 files     \n"
		"Max open files\n");
}

static void what_is_no_such_text(void **state)
{
	static const char *const bad[] = { "", "7", "7 (x", "7 (x)", "7 (x) ", "x y z" };
	struct buf b;

	buf_init(&b, 65536);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(view_make(VIEW_STAT, bad[i], "7 (x) S 1\n", &hidden, &b), -EPROTO);
		assert_int_equal(view_make(VIEW_STATM, "", bad[i], &hidden, &b), -EPROTO);
		assert_int_equal(view_make(VIEW_STATUS, bad[i], bad[i], &hidden, &b), 0);
		assert_int_equal(view_make(VIEW_MAPS, bad[i], bad[i], &hidden, &b), 0);
	}
	assert_int_equal(view_make(VIEW_HOMEWARD, "", "", &hidden, &b), -EINVAL);
	buf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_found),	cmocka_unit_test(status_is_of_both),
		cmocka_unit_test(stat_is_of_both),	cmocka_unit_test(statm_has_no_region),
		cmocka_unit_test(maps_have_names),	cmocka_unit_test(limits_are_the_programs),
		cmocka_unit_test(what_is_no_such_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
