/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_os.c - files, directories, fds, sockets, clocks */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/clock.h"
#include "os/fd.h"
#include "os/file.h"
#include "os/rand.h"
#include "os/sock.h"
#include "test.h"

static char dir[] = "/tmp/comosix-test-XXXXXX";

static int make_dir(void **state)
{
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	return dir_remove(dir, NULL);
}

/* a name in the test's directory; good until the fourth next call */
static const char *in_dir(const char *name)
{
	static char paths[4][PATH_MAX];
	static unsigned int next;
	char *to = paths[next++ % ARRAY_LEN(paths)];

	(void)snprintf(to, PATH_MAX, "%s/%s", dir, name);
	return to;
}

static void put(const char *path, const char *text)
{
	assert_int_equal(file_write_atomic(path, text, strlen(text), 0644, NULL), 0);
}

static void assert_holds(const char *path, const char *text)
{
	struct buf b;

	buf_init(&b, 65536);
	assert_int_equal(file_read(path, &b, NULL), 0);
	assert_string_equal(buf_text(&b), text);
	buf_done(&b);
}

static unsigned int entries(const char *path)
{
	DIR *d = opendir(path);
	unsigned int n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	assert_int_equal(closedir(d), 0);
	return n - 2;
}

static void a_file_comes_back(void **state)
{
	const char *path = in_dir("f");
	struct stat st;
	mode_t old = umask(077);

	put(path, "one");
	put(path, "two");
	(void)umask(old);
	assert_holds(path, "two");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0644); /* umask does not cut it */
	assert_int_equal(unlink(path), 0);
}

static void reading_has_a_limit(void **state)
{
	const char *path = in_dir("limit");
	struct err e = { 0 };
	struct buf b;

	put(path, "12345678");
	buf_init(&b, 10);
	assert_int_equal(buf_put(&b, "ab", 2), 0);
	assert_int_equal(file_read(path, &b, &e), 0); /* fits exactly */
	assert_string_equal(e.text, "");
	buf_reset(&b);
	assert_int_equal(buf_put(&b, "abc", 3), 0);
	assert_int_equal(file_read(path, &b, &e), -EFBIG);
	assert_non_null(strstr(e.text, path));
	assert_int_equal(b.len, 3); /* what was there before stands */
	assert_memory_equal(buf_bytes(&b), "abc", 3);
	buf_done(&b);
	assert_int_equal(unlink(path), 0);
}

static void only_regular_files_are_read(void **state)
{
	const char *fifo = in_dir("fifo");
	struct buf b;

	buf_init(&b, 10);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_int_equal(file_read(fifo, &b, NULL), -EINVAL); /* and does not hang */
	assert_int_equal(file_read(dir, &b, NULL), -EINVAL);
	assert_int_equal(file_read(in_dir("none"), &b, NULL), -ENOENT);
	assert_int_equal(b.len, 0);
	buf_done(&b);
	assert_int_equal(unlink(fifo), 0);
}

/* /dev/full is a disk without room; a directory in the way is a failing rename */
static void a_failed_write_leaves_nothing(void **state)
{
	const char *taken = in_dir("taken");
	unsigned int before;
	struct err e = { 0 };

	assert_int_equal(mkdir(taken, 0755), 0);
	before = entries(dir);
	assert_int_equal(file_write_atomic(taken, "x", 1, 0644, &e), -EISDIR);
	assert_non_null(strstr(e.text, taken));
	assert_int_equal(entries(dir), before);
	assert_int_equal(file_write_atomic(in_dir("no/where"), "x", 1, 0644, NULL), -ENOENT);
	assert_int_equal(rmdir(taken), 0);

	AUTO_CLOSE int full = open("/dev/full", O_WRONLY | O_CLOEXEC);

	assert_true(full >= 0);
	assert_int_equal(fd_write_all(full, "x", 1), -ENOSPC);
}

static void directories_are_made_and_removed(void **state)
{
	const char *outside = in_dir("outside"), *tree = in_dir("a/b/c"), *link = in_dir("a/link");
	struct stat st;

	put(outside, "stays");
	assert_int_equal(dir_make(tree, 0750, NULL), 0);
	assert_int_equal(dir_make(tree, 0700, NULL), 0); /* again is no error */
	assert_int_equal(stat(tree, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0750);
	assert_int_equal(symlink(outside, link), 0);
	assert_int_equal(dir_remove(in_dir("a"), NULL), 0);
	assert_int_equal(stat(in_dir("a"), &st), -1);
	assert_holds(in_dir("outside"), "stays");	    /* links are not followed */
	assert_int_equal(dir_remove(in_dir("a"), NULL), 0); /* gone already */
}

static void a_file_is_no_directory(void **state)
{
	const char *path = in_dir("plain");
	struct err e = { 0 };

	put(path, "x");
	assert_int_equal(dir_make(path, 0755, &e), -ENOTDIR);
	assert_non_null(strstr(e.text, path));
	assert_int_equal(dir_make(in_dir("plain/below"), 0755, NULL), -ENOTDIR);
	assert_int_equal(dir_make("", 0755, NULL), -ENAMETOOLONG);
	assert_holds(in_dir("plain"), "x");
}

static void addresses_come_back(void **state)
{
	static const struct {
		const char *text;
		int want;
	} rows[] = {
		{ "10.1.2.3:4660", 0 },
		{ "[fd00::1]:65535", 0 },
		{ "0.0.0.0:0", 0 },
		{ "[::]:1", 0 },
		{ "10.1.2.3", -EINVAL },
		{ "10.1.2.3:", -EINVAL },
		{ "10.1.2.3:65536", -EINVAL },
		{ "10.1.2:1", -EINVAL },
		{ "::1:80", -EINVAL },
		{ "[::1]", -EINVAL },
		{ "[::1:80", -EINVAL },
		{ "[]:80", -EINVAL },
		{ ":80", -EINVAL },
		{ "head:4660", -EINVAL },
		{ "", -EINVAL },
		{ "10.1.2.3:-1", -EINVAL },
		{ "[1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb]:1", -EINVAL },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct sock_addr a;
		char text[SOCK_ADDR_TEXT];

		assert_int_equal(sock_addr_parse(rows[i].text, &a), rows[i].want);
		if (rows[i].want)
			continue;
		sock_addr_format(&a, text);
		assert_string_equal(text, rows[i].text);
	}
}

static void fds_are_born_well(void **state)
{
	const char *path = in_dir("sock");
	AUTO_CLOSE int server = -1, client = -1, served = -1;
	struct sock_peer peer;
	struct stat st;
	int fds[2];

	assert_int_equal(sock_unix_listen(path, 0660, &server, NULL), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
	assert_int_equal(sock_accept(server, NULL, &served), -EAGAIN);
	assert_int_equal(sock_unix_connect(path, &client, NULL), 0);
	assert_int_equal(sock_accept(server, NULL, &served), 0);
	assert_int_equal(sock_peer(served, &peer, NULL), 0);
	assert_int_equal(peer.pid, getpid());
	assert_int_equal(peer.uid, getuid());
	fds[0] = client;
	fds[1] = served;
	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		assert_true(fcntl(fds[i], F_GETFL) & O_NONBLOCK);
		assert_true(fcntl(fds[i], F_GETFD) & FD_CLOEXEC);
	}
	assert_int_equal(fd_nonblock(client, 0), 0);
	assert_false(fcntl(client, F_GETFL) & O_NONBLOCK);
	assert_int_equal(unlink(path), 0);
}

static void only_a_stale_socket_is_replaced(void **state)
{
	const char *stale = in_dir("stale"), *precious = in_dir("precious");
	AUTO_CLOSE int first = -1, second = -1, third = -1;
	struct err e = { 0 };
	char path[256];

	assert_int_equal(sock_unix_listen(stale, 0600, &first, NULL), 0);
	fd_close(&first); /* the file stays */
	assert_int_equal(sock_unix_listen(stale, 0600, &second, NULL), 0);
	assert_int_equal(sock_unix_listen(stale, 0600, &third, &e), -EADDRINUSE); /* it lives */
	assert_non_null(strstr(e.text, stale));

	put(precious, "data");
	assert_int_equal(sock_unix_listen(precious, 0600, &third, &e), -EADDRINUSE);
	assert_non_null(strstr(e.text, precious));
	assert_holds(precious, "data");

	memset(path, 'x', sizeof(path));
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(sock_unix_listen(path, 0600, &third, NULL), -ENAMETOOLONG);
	assert_int_equal(sock_unix_connect(path, &third, NULL), -ENAMETOOLONG);
	assert_int_equal(third, -1);
}

static void tcp_over_loopback(void **state)
{
	AUTO_CLOSE int server = -1, client = -1, again = -1;
	struct sock_addr a;
	char byte;

	assert_int_equal(sock_addr_parse("127.0.0.1:0", &a), 0);
	assert_int_equal(sock_tcp_listen(&a, &server, NULL), 0);
	a.len = sizeof(a.ss);
	assert_int_equal(getsockname(server, (struct sockaddr *)&a.ss, &a.len), 0);
	assert_int_equal(sock_tcp_listen(&a, &again, NULL), -EADDRINUSE);
	assert_int_equal(sock_tcp_connect(&a, &client, NULL), 0);
	assert_int_equal(sock_error(client), 0);
	assert_int_equal(recv(client, &byte, 1, 0), -1);
	assert_int_equal(errno, EAGAIN);
}

#define PATIENCE_MS 30000
#define READERS_MS  20000 /* within which the two kernels agree about the window */

static unsigned int user_timeout(int fd)
{
	unsigned int ms = 0;
	socklen_t len = sizeof(ms);

	assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, &len), 0);
	return ms;
}

/* the timeout is off while the reader stands still, and back when nothing is on its way */
static void a_reader_may_stand_still(void **state)
{
	static char bytes[65536];
	AUTO_CLOSE int server = -1, client = -1, reader = -1;
	uint64_t until = clock_boot_ms() + READERS_MS;
	struct sock_addr a;
	int small = 16384;

	assert_int_equal(sock_addr_parse("127.0.0.1:0", &a), 0);
	assert_int_equal(sock_tcp_listen(&a, &server, NULL), 0);
	assert_int_equal(setsockopt(server, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
	a.len = sizeof(a.ss);
	assert_int_equal(getsockname(server, (struct sockaddr *)&a.ss, &a.len), 0);
	assert_int_equal(sock_tcp_connect(&a, &client, NULL), 0);
	assert_int_equal(sock_tcp_alive(client, PATIENCE_MS, NULL), 0);
	assert_false(sock_tcp_bear(client, PATIENCE_MS));
	while (sock_accept(server, NULL, &reader) == -EAGAIN)
		assert_true(clock_boot_ms() < until);

	while (user_timeout(client)) {
		while (send(client, bytes, sizeof(bytes), MSG_NOSIGNAL) > 0)
			;
		assert_true(sock_tcp_bear(client, PATIENCE_MS));
		assert_true(clock_boot_ms() < until);
	}
	while (sock_tcp_bear(client, PATIENCE_MS)) {
		(void)!read(reader, bytes, sizeof(bytes)); /* nothing is there: it comes */
		assert_true(clock_boot_ms() < until);
	}
	assert_int_equal(user_timeout(client), PATIENCE_MS);
	assert_false(sock_tcp_bear(STDIN_FILENO, PATIENCE_MS));
}

static void time_goes_forward(void **state)
{
	uint64_t us = clock_boot_us(), ms = clock_boot_ms();

	assert_true(ms >= us / 1000);
	assert_true(clock_boot_us() >= us);
	assert_true(clock_wall_s() > 1577836800); /* 2020-01-01: no clock runs before that */
}

static void random_bytes_differ(void **state)
{
	uint8_t a[64] = { 0 }, b[64] = { 0 };

	rand_bytes(a, sizeof(a));
	rand_bytes(b, sizeof(b));
	assert_memory_not_equal(a, b, sizeof(a));
	assert_true(rand_u64() != rand_u64());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_comes_back),
		cmocka_unit_test(reading_has_a_limit),
		cmocka_unit_test(only_regular_files_are_read),
		cmocka_unit_test(a_failed_write_leaves_nothing),
		cmocka_unit_test(directories_are_made_and_removed),
		cmocka_unit_test(a_file_is_no_directory),
		cmocka_unit_test(addresses_come_back),
		cmocka_unit_test(fds_are_born_well),
		cmocka_unit_test(only_a_stale_socket_is_replaced),
		cmocka_unit_test(tcp_over_loopback),
		cmocka_unit_test(a_reader_may_stand_still),
		cmocka_unit_test(time_goes_forward),
		cmocka_unit_test(random_bytes_differ),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
