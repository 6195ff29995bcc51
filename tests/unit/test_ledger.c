/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_ledger.c - what a process has changed is found, and taken back, or known to be beyond that */
#include "migrate/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "test.h"

/* the process is ourselves */
static int fetch(void *owner, int number)
{
	int fd = fcntl(number, F_DUPFD_CLOEXEC, 200);

	(void)owner;
	return fd < 0 ? -errno : fd;
}

static struct ledger ledger;
static struct ledger_note note;
static char dir[] = "/var/tmp/test_ledger.XXXXXX";
static char path[64];

static int set_up(void **state)
{
	(void)state;
	ledger_init(&ledger, getpid(), fetch, NULL);
	ledger_forget(&note);
	(void)snprintf(path, sizeof(path), "%s/file", dir);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	ledger_done(&ledger);
	(void)unlink(path);
	return 0;
}

static int make_dir(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	(void)state;
	return rmdir(dir);
}

/* a call as the stub would make it, with its arguments as they are */
static int64_t call(uint32_t nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	const uint64_t args[6] = { a, b, c, d };
	int64_t r;

	ledger_before(&ledger, nr, args, &note);
	r = syscall(nr, a, b, c, d);
	r = r < 0 ? -errno : r;
	ledger_after(&ledger, &note, r);
	return r;
}

static int64_t put(int fd, const char *text)
{
	return call(SYS_write, (uint64_t)fd, (uint64_t)text, strlen(text), 0);
}

static int64_t get(int fd, char *to, size_t n)
{
	return call(SYS_read, (uint64_t)fd, (uint64_t)to, n, 0);
}

static int open_call(int flags)
{
	return (int)call(SYS_openat, (uint64_t)AT_FDCWD, (uint64_t)path, (uint64_t)flags, 0600);
}

static int make_file(const char *text)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	return fd;
}

static int put_back(void *owner, int number, int kept, bool close_exec, struct err *e)
{
	(void)owner;
	(void)e;
	if (kept < 0)
		(void)close(number);
	else
		assert_int_equal(dup3(kept, number, close_exec ? O_CLOEXEC : 0), number);
	return 0;
}

static void go_back(void)
{
	struct err e;

	assert_null(ledger_outside(&ledger));
	assert_int_equal(ledger_check(&ledger, &e), 0);
	assert_int_equal(ledger_undo(&ledger, &e), 0);
	assert_int_equal(ledger_descriptors(&ledger, put_back, NULL, &e), 0);
}

static void is(int fd, const char *text, off_t at)
{
	char now[64] = "";
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, strlen(text));
	assert_int_equal(pread(fd, now, sizeof(now) - 1, 0), strlen(text));
	assert_string_equal(now, text);
	assert_int_equal(lseek(fd, 0, SEEK_CUR), at);
}

static void test_appends_are_cut_off(void **state)
{
	int fd = make_file("before");

	(void)state;
	assert_int_equal(put(fd, " one"), 4);
	assert_int_equal(put(fd, " two"), 4);
	assert_int_equal(call(SYS_pwrite64, (uint64_t)fd, (uint64_t) "far", 3, 40), 3);
	go_back();
	is(fd, "before", 6);
	(void)close(fd);
}

static void test_offsets_of_reads_are_put_back(void **state)
{
	int fd = make_file("0123456789"), other;
	char to[8];

	(void)state;
	assert_int_equal(lseek(fd, 3, SEEK_SET), 3);
	other = (int)call(SYS_dup, (uint64_t)fd, 0, 0, 0);
	assert_true(other >= 0);
	assert_int_equal(get(fd, to, 2), 2);
	assert_int_equal(call(SYS_lseek, (uint64_t)other, 9, SEEK_SET, 0), 9);
	go_back();
	is(fd, "0123456789", 3);
	assert_int_equal(fcntl(other, F_GETFD), -1); /* it was not there */
	(void)close(fd);
}

static void test_what_was_closed_is_open_again(void **state)
{
	int fd = make_file("file"), new;
	char to[8];

	(void)state;
	assert_int_equal(lseek(fd, 1, SEEK_SET), 1);
	assert_int_equal(call(SYS_close, (uint64_t)fd, 0, 0, 0), 0);
	new = open_call(O_RDONLY); /* has its number now */
	assert_int_equal(new, fd);
	assert_int_equal(get(new, to, 4), 4);
	go_back();
	is(fd, "file", 1);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDWR);
	(void)close(fd);
}

/* nobody else is kept from executing it, or waits for its close in vain */
static void test_the_end_of_writing_is_noticed(void **state)
{
	/* a number that no file gets by itself: the process's and ours are one here */
	int low = make_file("#!/bin/true\n"), fd = fcntl(low, F_DUPFD_CLOEXEC, 150),
	    watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	struct inotify_event event;

	(void)state;
	(void)close(low);
	assert_true(inotify_add_watch(watch, path, IN_CLOSE_WRITE) >= 0);
	assert_int_equal(put(fd, "# more\n"), 7);
	assert_int_equal(call(SYS_close, (uint64_t)fd, 0, 0, 0), 0);
	assert_int_equal(read(watch, &event, sizeof(event)), sizeof(event));
	assert_int_equal(event.mask, IN_CLOSE_WRITE);
	go_back();
	is(fd, "#!/bin/true\n", 12);
	(void)close(fd);
	(void)close(watch);
}

static void test_a_file_that_is_opened_for_each_line(void **state)
{
	int fd = make_file("log\n");

	(void)state;
	for (int i = 0; i < 2 * LEDGER_ENTRIES_MAX; i++) {
		int out = open_call(O_WRONLY | O_APPEND);

		assert_int_equal(put(out, "x\n"), 2);
		assert_int_equal(call(SYS_close, (uint64_t)out, 0, 0, 0), 0);
	}
	go_back();
	is(fd, "log\n", 4);
	(void)close(fd);
}

static void test_a_file_that_is_there_may_be_opened_to_create(void **state)
{
	int fd = make_file("old"), out;
	const struct timespec tick = { .tv_nsec = 20000000 };

	(void)state;
	(void)nanosleep(&tick, NULL); /* files are dated by a clock of some ms */
	out = open_call(O_WRONLY | O_APPEND | O_CREAT);
	assert_true(out >= 0);
	go_back();
	assert_int_equal(fcntl(out, F_GETFD), -1);
	(void)close(fd);
}

static void spoilt_by(const char *what)
{
	assert_non_null(ledger_outside(&ledger));
	assert_non_null(strstr(ledger_outside(&ledger), what));
}

static void test_a_new_file_is_outside(void **state)
{
	int fd;

	(void)state;
	(void)unlink(path);
	fd = open_call(O_WRONLY | O_CREAT);
	assert_true(fd >= 0);
	spoilt_by("may be new");
	(void)close(fd);
}

static void test_writing_over_is_outside(void **state)
{
	int fd = make_file("before");

	(void)state;
	assert_int_equal(call(SYS_pwrite64, (uint64_t)fd, (uint64_t) "B", 1, 0), 1);
	spoilt_by("a part of a file that was there");
	(void)close(fd);
}

static void test_truncating_is_outside(void **state)
{
	int fd = make_file("before");

	(void)state;
	assert_int_equal(call(SYS_ftruncate, (uint64_t)fd, 2, 0, 0), 0);
	spoilt_by("ftruncate");
	(void)close(fd);
}

static void test_pipes_are_outside(void **state)
{
	char to[4];
	int p[2];

	(void)state;
	assert_int_equal(pipe(p), 0);
	assert_int_equal(put(p[1], "x"), 1);
	spoilt_by("write of a pipe");
	ledger_reset(&ledger);
	assert_int_equal(get(p[0], to, 1), 1);
	spoilt_by("read");
	ledger_reset(&ledger);
	assert_int_equal(call(SYS_close, (uint64_t)p[1], 0, 0, 0), 0);
	spoilt_by("close of a pipe");
	ledger_reset(&ledger);
	assert_int_equal(get(p[0], to, 1), 0); /* the end of it takes nothing away */
	assert_null(ledger_outside(&ledger));
	(void)close(p[0]);
}

static void test_others_that_write_are_noticed(void **state)
{
	int fd = make_file("a"), other = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	struct err e;

	(void)state;
	assert_int_equal(put(fd, "b"), 1);
	assert_int_equal(ledger_check(&ledger, &e), 0);
	assert_int_equal(write(other, "c", 1), 1);
	assert_int_equal(ledger_check(&ledger, &e), -EBUSY);
	assert_int_equal(call(SYS_close, (uint64_t)fd, 0, 0, 0), 0);
	(void)close(other);
}

static void test_a_line_of_others_between_ours(void **state)
{
	int fd = make_file("a"), ours = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);

	(void)state;
	assert_int_equal(put(ours, "b"), 1);
	assert_int_equal(pwrite(fd, "c", 1, 2), 1);
	assert_int_equal(put(ours, "d"), 1);
	spoilt_by("others append");
	(void)close(fd);
	(void)close(ours);
}

static void test_harmless_calls(void **state)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), fd = make_file("x");
	struct stat st;

	(void)state;
	assert_int_equal(put(null, "gone"), 4);
	assert_int_equal(call(SYS_fstat, (uint64_t)fd, (uint64_t)&st, 0, 0), 0);
	assert_int_equal(call(SYS_kill, (uint64_t)getpid(), 0, 0, 0), 0);
	assert_int_equal(call(SYS_close, 199, 0, 0, 0), -EBADF);
	assert_int_equal(call(SYS_connect, 199, 0, 0, 0), -EBADF); /* failed: nothing was done */
	assert_null(ledger_outside(&ledger));
	assert_int_equal(call(SYS_kill, (uint64_t)getppid(), 0, 0, 0), 0);
	spoilt_by("kill");
	(void)close(null);
	(void)close(fd);
}

static void test_proc_keeps_nothing(void **state)
{
	int fd = open("/proc/self/comm", O_RDWR | O_CLOEXEC);

	(void)state;
	assert_int_equal(put(fd, "other"), 5);
	spoilt_by("keeps nothing");
	(void)close(fd);
}

static void test_a_new_descriptor_of_anything(void **state)
{
	int fd = (int)call(SYS_eventfd2, 0, 0, 0, 0);

	(void)state;
	assert_true(fd >= 0);
	go_back();
	assert_int_equal(fcntl(fd, F_GETFD), -1);
}

static void test_too_much_is_outside(void **state)
{
	(void)state;
	for (int i = 0; i <= LEDGER_ENTRIES_MAX; i++)
		(void)call(SYS_eventfd2, 0, 0, 0, 0);
	spoilt_by("too many files");
	for (int i = 3; i < 3 + 2 * LEDGER_ENTRIES_MAX; i++)
		(void)close(i);
}

static void test_effects_of_arguments(void **state)
{
	const uint64_t asks[6] = { 0, 7, 0, 1 }, sets[6] = { 0, 7, 1, 1 };
	const uint64_t reads[6] = { 0, 0, O_RDONLY }, makes[6] = { 0, 0, O_CREAT },
		       empties[6] = { 0, 0, O_TRUNC }, unnamed[6] = { 0, 0, O_TMPFILE };

	(void)state;
	assert_int_equal(table_effect(SYS_prlimit64, asks), EFFECT_NONE);
	assert_int_equal(table_effect(SYS_prlimit64, sets), EFFECT_OUTSIDE);
	assert_int_equal(table_effect(SYS_openat, reads), EFFECT_OPEN);
	assert_int_equal(table_effect(SYS_openat, makes), EFFECT_OPEN);
	assert_int_equal(table_effect(SYS_openat, empties), EFFECT_OUTSIDE);
	assert_int_equal(table_effect(SYS_openat, unnamed), EFFECT_OUTSIDE);
	assert_int_equal(table_effect(9999, asks), EFFECT_OUTSIDE);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(test_appends_are_cut_off),
		T(test_offsets_of_reads_are_put_back),
		T(test_what_was_closed_is_open_again),
		T(test_the_end_of_writing_is_noticed),
		T(test_a_file_that_is_opened_for_each_line),
		T(test_a_file_that_is_there_may_be_opened_to_create),
		T(test_a_new_file_is_outside),
		T(test_writing_over_is_outside),
		T(test_truncating_is_outside),
		T(test_pipes_are_outside),
		T(test_others_that_write_are_noticed),
		T(test_a_line_of_others_between_ours),
		T(test_harmless_calls),
		T(test_proc_keeps_nothing),
		T(test_a_new_descriptor_of_anything),
		T(test_too_much_is_outside),
		T(test_effects_of_arguments),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
