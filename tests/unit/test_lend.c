/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_lend.c - lists of files, their digests, and what is lent to whom */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "image/files.h"
#include "migrate/lend.h"
#include "os/fd.h"
#include "os/file.h"
#include "test.h"

static char top[] = "/tmp/test-lend-XXXXXX";
static char cache[sizeof(top) + 16];

/* SHA-256 of "abc", FIPS 180-2 */
static const uint8_t of_abc[FILES_DIGEST] = {
	0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40,
	0xde, 0x5d, 0xae, 0x22, 0x23, 0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17,
	0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad,
};

static const char *in_top(const char *name)
{
	static char path[256];

	assert_true(snprintf(path, sizeof(path), "%s/%s", top, name) < (int)sizeof(path));
	return path;
}

static void make(const char *name, const char *text, mode_t mode)
{
	AUTO_CLOSE int fd = open(in_top(name), O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
	assert_int_equal(fchmod(fd, mode), 0);
}

/* times of long ago: else nothing is kept */
static void age(const char *name)
{
	const struct timespec old[2] = { { 1, 0 }, { 1, 0 } };

	assert_int_equal(utimensat(AT_FDCWD, in_top(name), old, 0), 0);
}

static int set_up(void **state)
{
	struct err e;

	(void)state;
	if (!mkdtemp(top) || chmod(top, 0755) < 0)
		return -1;
	(void)snprintf(cache, sizeof(cache), "%s/digests", top);
	if (dir_make(in_top("usr/lib"), 0755, &e) < 0 || dir_make(in_top("home"), 0755, &e) < 0)
		return -1;
	make("usr/lib/abc", "abc", 0644);
	make("usr/lib/abd", "abd", 0644);
	make("usr/lib/secret", "abc", 0640);
	make("usr/lib/open", "abc", 0666);
	make("usr/lib/empty", "", 0644);
	make("home/abc", "abc", 0644);
	return symlink("abc", in_top("usr/lib/link")) < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
	struct err e;

	(void)state;
	return dir_remove(top, &e);
}

/* --------------------------------------------------------------------- lists */

static void add(struct image_files *f, const char *name, uint64_t size)
{
	char copy[2 * FILES_NAME_MAX];
	struct image_file file = { .size = size, .name = copy };

	(void)snprintf(copy, sizeof(copy), "%s", name);
	memset(file.digest, (int)size, sizeof(file.digest));
	assert_int_equal(files_add(f, &file), 0);
}

static void lists_come_back(void **state)
{
	struct image_files f, again;
	uint8_t bits[FILES_HAVE_MAX];
	struct err e = { 0 };
	struct buf b;

	(void)state;
	files_init(&f);
	files_init(&again);
	buf_init(&b, FILES_BYTES_MAX);
	for (int i = 0; i < 11; i++) {
		char name[32];

		(void)snprintf(name, sizeof(name), "/usr/lib/%d", i);
		add(&f, name, (uint64_t)i + 1);
	}
	assert_int_equal(files_put(&b, &f), 0);
	assert_int_equal(files_get(buf_bytes(&b), b.len, &again, &e), 0);
	assert_int_equal(again.n, 11);
	for (size_t i = 0; i < 11; i++) {
		assert_string_equal(again.list[i].name, f.list[i].name);
		assert_int_equal(again.list[i].size, i + 1);
		assert_memory_equal(again.list[i].digest, f.list[i].digest, FILES_DIGEST);
	}
	again.list[0].have = again.list[10].have = true;
	assert_int_equal(files_put_have(&again, bits), 2);
	assert_int_equal(bits[0], 1);
	assert_int_equal(bits[1], 4);
	assert_int_equal(files_get_have(bits, 2, &f, &e), 0);
	assert_true(f.list[0].have && !f.list[1].have && f.list[10].have);
	/* bits behind the list, and answers of another length */
	bits[1] = 8;
	assert_int_equal(files_get_have(bits, 2, &f, &e), -EPROTO);
	assert_int_equal(files_get_have(bits, 1, &f, &e), -EPROTO);
	assert_int_equal(files_get_have(bits, 3, &f, &e), -EPROTO);
	files_done(&f);
	files_done(&again);
	buf_done(&b);
}

static void names_are_checked(void **state)
{
	static const struct {
		const char *name;
		bool good;
	} rows[] = {
		{ "/usr/lib/libc.so.6", true },
		{ "/a", true },
		{ "/usr/lib/..a", true },
		{ "", false },
		{ "usr/lib/a", false },
		{ "/", false },
		{ "/usr/", false },
		{ "//usr", false },
		{ "/usr/../etc/shadow", false },
		{ "/usr/.", false },
		{ "/..", false },
		{ "/usr/./lib", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (files_is_name(rows[i].name, strlen(rows[i].name)) != rows[i].good)
			fail_msg("'%s'", rows[i].name);
	assert_false(files_is_name("/a\0b", 4));
}

static void a_full_list_takes_no_more(void **state)
{
	struct image_file one = { .name = (char[]){ "/usr/x" } };
	struct image_files f;

	(void)state;
	files_init(&f);
	for (int i = 0; i < IMAGE_FILES_MAX; i++)
		add(&f, "/usr/x", 1);
	assert_int_equal(files_add(&f, &one), -E2BIG);
	files_done(&f);
}

/* ------------------------------------------------------------------- digests */

static int digest(struct digests *d, const char *name, struct image_file *ret)
{
	AUTO_CLOSE int fd = open(in_top(name), O_RDONLY);
	struct stat st;

	assert_true(fd >= 0);
	return digests_of(d, fd, ret, &st);
}

static void digests_are_kept(void **state)
{
	struct image_file file;
	struct digests d;

	(void)state;
	digests_open(&d, cache);
	assert_true(d.fd >= 0);
	assert_int_equal(d.n, 0);
	assert_int_equal(digest(&d, "usr/lib/abc", &file), 0);
	assert_int_equal(file.size, 3);
	assert_memory_equal(file.digest, of_abc, FILES_DIGEST);
	digests_done(&d);

	/* it was made just now, its ctime tells nothing yet: not kept */
	digests_open(&d, cache);
	assert_int_equal(d.n, 0);
	d.budget = 2;
	assert_int_equal(digest(&d, "usr/lib/abc", &file), -EFBIG);
	digests_done(&d);
}

static void a_kept_digest_is_used_for_the_same_file_only(void **state)
{
	AUTO_CLOSE int fd = open("/bin/sh", O_RDONLY);
	struct image_file first, again;
	struct digests d;
	struct stat st;

	(void)state;
	/* older than some seconds: its digest is kept, and not computed again */
	assert_true(fd >= 0);
	digests_open(&d, cache);
	assert_int_equal(digests_of(&d, fd, &first, &st), 0);
	digests_done(&d);
	digests_open(&d, cache);
	d.budget = 0;
	assert_int_equal(d.n, 1);
	assert_int_equal(digests_of(&d, fd, &again, &st), 0);
	assert_memory_equal(first.digest, again.digest, FILES_DIGEST);
	age("usr/lib/abd");
	assert_int_equal(digest(&d, "usr/lib/abd", &again), -EFBIG);
	digests_done(&d);
}

static void a_broken_cache_is_begun_anew(void **state)
{
	struct digests d;

	(void)state;
	make("digests", "not of records", 0600);
	digests_open(&d, cache);
	assert_true(d.fd >= 0);
	assert_int_equal(d.n, 0);
	digests_done(&d);
	digests_open(&d, in_top("no/such/place"));
	assert_int_equal(d.fd, -1); /* nothing is kept, nothing fails */
	digests_done(&d);
}

/* ------------------------------------------------------------------- lending */

static pid_t start_lender(int *ret_sock)
{
	struct lend l;
	struct err e;
	pid_t pid;

	assert_int_equal(lend_open(&l, top, cache, &e), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		lend_serve(&l, 60000);
		_exit(0);
	}
	*ret_sock = dup(l.theirs);
	lend_close(&l);
	return pid;
}

static int borrow(int sock, const char *name, uint64_t size, const uint8_t *sha)
{
	char copy[64];
	struct image_file f = { .size = size, .name = copy };
	uint8_t byte;

	(void)snprintf(copy, sizeof(copy), "%s", name);
	memcpy(f.digest, sha, FILES_DIGEST);
	assert_int_equal(lend_ask(sock, &f), 0);
	assert_true(recv(sock, &byte, 1, MSG_PEEK) >= 0); /* waits for it */
	return lend_take(sock);
}

static void only_what_is_known_is_lent(void **state)
{
	static const struct {
		const char *name;
		uint64_t size;
		int r;
	} rows[] = {
		{ "/usr/lib/abd", 3, -ENOENT }, /* another content */
		{ "/usr/lib/abc", 4, -ENOENT }, /* another size */
		{ "/usr/lib/none", 3, -ENOENT },    { "/usr/lib/secret", 3, -EACCES },
		{ "/usr/lib/open", 3, -EACCES },    { "/usr/lib/empty", 0, -EACCES },
		{ "/usr/lib", 3, -EACCES },	    { "/home/abc", 3, -EACCES },
		{ "/usr/../home/abc", 3, -EACCES }, { "/usr/lib/link", 3, -ELOOP },
		{ "usr/lib/abc", 3, -EACCES },	    { "/usr/lib//abc", 3, -EACCES },
	};
	char text[4] = "";
	int sock, fd, status;
	pid_t pid;

	(void)state;
	pid = start_lender(&sock);
	assert_int_equal(lend_take(sock), -EAGAIN);
	fd = borrow(sock, "/usr/lib/abc", 3, of_abc);
	assert_true(fd >= 0);
	assert_int_equal(read(fd, text, 3), 3);
	assert_string_equal(text, "abc");
	assert_int_equal(write(fd, text, 3), -1); /* for reading only */
	(void)close(fd);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int r = borrow(sock, rows[i].name, rows[i].size, of_abc);

		if (r != rows[i].r)
			fail_msg("'%s': %d", rows[i].name, r);
	}
	(void)close(sock);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void nonsense_ends_it(void **state)
{
	static const char long_one[4096];
	static const size_t sizes[] = { 0, 1, 8 + FILES_DIGEST, sizeof(long_one) };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		int sock, status, r;
		pid_t pid = start_lender(&sock);
		uint8_t byte;

		assert_int_equal(send(sock, long_one, sizes[i], MSG_NOSIGNAL), sizes[i]);
		if (recv(sock, &byte, 1, MSG_PEEK) > 0) { /* cut to the longest: refused */
			r = lend_take(sock);
			assert_int_equal(r, -EACCES);
		}
		(void)close(sock);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_come_back),
		cmocka_unit_test(names_are_checked),
		cmocka_unit_test(a_full_list_takes_no_more),
		cmocka_unit_test(digests_are_kept),
		cmocka_unit_test(a_kept_digest_is_used_for_the_same_file_only),
		cmocka_unit_test(a_broken_cache_is_begun_anew),
		cmocka_unit_test(only_what_is_known_is_lent),
		cmocka_unit_test(nonsense_ends_it),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
