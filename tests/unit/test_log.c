/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_log.c - the daemon's words, as they come out of stderr */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "log/log.h"
#include "os/fd.h"
#include "test.h"

/* run say() with stderr in a memory file; the text in to; returns the wait status */
static int capture(void (*say)(void), char *to, size_t len)
{
	AUTO_CLOSE int fd = memfd_create("stderr", MFD_CLOEXEC);
	int status;
	ssize_t n;
	pid_t pid;

	assert_true(fd >= 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		if (dup2(fd, STDERR_FILENO) < 0)
			_exit(99);
		say();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	n = pread(fd, to, len - 1, 0);
	assert_true(n >= 0);
	to[n] = '\0';
	return status;
}

static void say_all_levels(void)
{
	log_open("prog", LOG_INFO);
	log_err("e %d", 1);
	log_warn("w");
	log_info("i");
	log_debug("d");
}

static void on_a_terminal_lines_have_a_time(void **state)
{
	char text[1024], *line = text, *next;
	static const char *const want[] = { "prog: error: e 1", "prog: warning: w", "prog: i" };

	assert_int_equal(unsetenv("JOURNAL_STREAM"), 0);
	assert_int_equal(capture(say_all_levels, text, sizeof(text)), 0);
	for (size_t i = 0; i < ARRAY_LEN(want); i++, line = next + 1) {
		struct tm tm;
		const char *rest = strptime(line, "%Y-%m-%dT%H:%M:%SZ ", &tm);

		next = strchr(line, '\n');
		assert_non_null(next);
		*next = '\0';
		assert_non_null(rest);
		assert_string_equal(rest, want[i]);
	}
	assert_string_equal(line, ""); /* debug was not asked for */
}

static void the_journal_gets_levels(void **state)
{
	char text[1024];

	assert_int_equal(setenv("JOURNAL_STREAM", "8:1", 1), 0);
	assert_int_equal(capture(say_all_levels, text, sizeof(text)), 0);
	assert_string_equal(text, "<3>prog: e 1\n<4>prog: w\n<6>prog: i\n");
}

static void say_last_words(void)
{
	log_open("prog", LOG_INFO);
	die("no %s here", "luck");
}

static void die_ends_with_1(void **state)
{
	char text[256];
	int status = capture(say_last_words, text, sizeof(text));

	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 1);
	assert_string_equal(text, "prog: no luck here\n");
}

static void foreign_text_is_quoted(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ "", "''" },
		{ "plain", "'plain'" },
		{ "two\nlines", "'two\\x0alines'" },
		{ "it's\\", "'it\\x27s\\x5c'" },
		{ "\x1b[31m", "'\\x1b[31m'" },
		{ "\xff\x80", "'\\xff\\x80'" },
	};
	char to[64];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_string_equal(log_quote(rows[i].text, to, sizeof(to)), rows[i].want);
}

/* whatever the length, the text is ended inside the room it has */
static void long_foreign_text_is_cut(void **state)
{
	static const char evil[] = "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\nk\nl\nm\nn\no\n";

	for (size_t room = 0; room < 80; room++) {
		char *to = malloc(room + 1);
		const char *s;

		assert_non_null(to);
		memset(to, 'z', room + 1);
		s = log_quote(evil, to, room);
		assert_true(strlen(s) < (room ? room : 1));
		assert_int_equal(to[room], 'z');
		free(to);
	}
}

static void a_flood_is_one_line(void **state)
{
	struct log_limit l = { 0 };
	uint32_t dropped = 7;

	assert_true(log_allow(&l, 1000, 500, &dropped));
	assert_int_equal(dropped, 0);
	for (uint64_t t = 1000; t < 1500; t += 100)
		assert_false(log_allow(&l, t, 500, &dropped));
	assert_true(log_allow(&l, 1500, 500, &dropped));
	assert_int_equal(dropped, 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(on_a_terminal_lines_have_a_time),
		cmocka_unit_test(the_journal_gets_levels),
		cmocka_unit_test(die_ends_with_1),
		cmocka_unit_test(foreign_text_is_quoted),
		cmocka_unit_test(long_foreign_text_is_cut),
		cmocka_unit_test(a_flood_is_one_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
