/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_ahead.c - which descriptors are read from front to back, and how far ahead of them */
#include <sys/syscall.h>

#include "forward/away/ahead.h"
#include "test.h"

static void the_third_read_is_worth_it(void **state)
{
	struct ahead a = { 0 };

	(void)state;
	assert_false(ahead_read(&a, 3));
	assert_false(ahead_read(&a, 4));
	assert_false(ahead_read(&a, 3));
	assert_true(ahead_read(&a, 3));
	assert_true(ahead_read(&a, 3));
	assert_false(ahead_read(&a, 4));
	ahead_forget(&a, 3);
	assert_false(ahead_read(&a, 3));
	assert_true(ahead_read(&a, 4)); /* which nothing was done to */
	ahead_forget_all(&a);
	assert_false(ahead_read(&a, 4));
}

static void no_is_kept_until_something_changes(void **state)
{
	struct ahead a = { 0 };

	(void)state;
	for (int i = 0; i < AHEAD_READS; i++)
		(void)ahead_read(&a, 5);
	ahead_never(&a, 5);
	for (int i = 0; i < 10; i++)
		assert_false(ahead_read(&a, 5));
	ahead_forget(&a, 5);
	assert_false(ahead_read(&a, 5));
	assert_false(ahead_read(&a, 5));
	assert_true(ahead_read(&a, 5));
	ahead_never(&a, 99); /* of nobody */
}

static void the_oldest_makes_room(void **state)
{
	struct ahead a = { 0 };

	(void)state;
	(void)ahead_read(&a, 1000);
	(void)ahead_read(&a, 1000);
	for (uint32_t fd = 0; fd < AHEAD_FDS - 1; fd++)
		(void)ahead_read(&a, fd);
	assert_true(ahead_read(&a, 1000)); /* all have room */
	(void)ahead_read(&a, 500);	   /* that of 0, which was used longest ago */
	(void)ahead_read(&a, 1);
	assert_true(ahead_read(&a, 1));
	assert_false(ahead_read(&a, 0));
}

static void what_is_harmless(void **state)
{
	static const struct {
		uint32_t nr, fd;
		bool harmless;
	} rows[] = {
		{ SYS_read, 3, false },	       { SYS_read, 4, true },
		{ SYS_write, 3, false },       { SYS_write, 4, true },
		{ SYS_lseek, 3, false },       { SYS_lseek, 4, true },
		{ SYS_close, 3, false },       { SYS_close, 4, true },
		{ SYS_pread64, 3, true },      { SYS_fstat, 3, true },
		{ SYS_openat, 3, true },       { SYS_dup, 4, false },
		{ SYS_dup2, 4, false },	       { SYS_dup3, 4, false },
		{ SYS_fcntl, 4, false },       { SYS_sendfile, 4, false },
		{ SYS_splice, 4, false },      { SYS_sendmsg, 4, false },
		{ SYS_close_range, 4, false }, { SYS_truncate, 4, false },
		{ SYS_ftruncate, 4, false },   { SYS_copy_file_range, 4, false },
		{ SYS_execve, 4, false },      { SYS_clone, 4, false },
		{ 100000, 4, false },	       { UINT32_MAX, 4, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const uint64_t args[6] = { rows[i].fd };

		if (ahead_is_harmless(rows[i].nr, args, 3) != rows[i].harmless)
			fail_msg("call %u of descriptor %u", rows[i].nr, rows[i].fd);
	}
	/* the kernel looks at 32 bits of it */
	assert_false(ahead_is_harmless(SYS_lseek, (uint64_t[6]){ 3 | 1ULL << 32 }, 3));
}

/* pread(2): each has to begin where the one before ended */
static void reads_that_name_their_place(void **state)
{
	struct ahead a = { 0 };

	(void)state;
	assert_false(ahead_read_at(&a, 3, 100, 50));
	assert_false(ahead_read_at(&a, 3, 150, 50));
	assert_true(ahead_read_at(&a, 3, 200, 50));
	assert_false(ahead_read_at(&a, 3, 251, 50)); /* elsewhere: from the beginning */
	assert_false(ahead_read_at(&a, 3, 301, 1));
	assert_true(ahead_read_at(&a, 3, 302, 1));
	assert_false(ahead_read_at(&a, 3, 302, 1)); /* again */
	/* two kinds are two orders */
	assert_false(ahead_read(&a, 3));
	assert_false(ahead_read(&a, 3));
	assert_false(ahead_read_at(&a, 3, 303, 1));
	for (int i = 0; i < AHEAD_READS; i++)
		(void)ahead_read_at(&a, 4, (uint64_t)i, 1);
	ahead_never(&a, 4);
	assert_false(ahead_read_at(&a, 4, AHEAD_READS, 1));
}

/* whoever reads all that is there, piece by piece, never waits for what was not asked for */
static void the_window_grows_with_the_reader(void **state)
{
	struct ahead_window w;
	uint64_t at = 1000;
	uint32_t largest = 0;

	(void)state;
	ahead_window_init(&w, at);
	for (int i = 0; i < 10000; i++) {
		uint64_t before = w.upto;

		if (ahead_window_more(&w, at, AHEAD_WINDOW_MAX)) {
			assert_true(w.upto > before);
			assert_int_equal(w.upto - at, w.size);
		} else {
			assert_int_equal(w.upto, before);
		}
		assert_true(w.upto > at);
		assert_false(ahead_window_more(&w, at, AHEAD_WINDOW_MAX)); /* once is enough */
		if (!i)
			assert_int_equal(w.size, AHEAD_WINDOW_MIN);
		largest = w.size > largest ? w.size : largest;
		at += 4096;
	}
	assert_int_equal(largest, AHEAD_WINDOW_MAX);
	/* there is less for each from now on: it never steps back */
	for (int i = 0; i < 10000; i++) {
		uint64_t before = w.upto;

		if (ahead_window_more(&w, at, AHEAD_WINDOW_MIN))
			assert_int_equal(w.size, AHEAD_WINDOW_MIN);
		assert_true(w.upto >= before && w.upto > at);
		at += 4096;
	}
	assert_int_equal(w.size, AHEAD_WINDOW_MIN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_third_read_is_worth_it),
		cmocka_unit_test(no_is_kept_until_something_changes),
		cmocka_unit_test(the_oldest_makes_room),
		cmocka_unit_test(what_is_harmless),
		cmocka_unit_test(reads_that_name_their_place),
		cmocka_unit_test(the_window_grows_with_the_reader),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
