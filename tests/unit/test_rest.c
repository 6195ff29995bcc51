/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_rest.c - a call that has moved a part is stopped, again and again, and nobody notices
 *
 * Theory of operation. A child makes one call that waits in the middle. An agent seizes it and gives it
 * back, as a move does that is undone, several times in a row: so the second one finds the thread in
 * the code that the first one has left. Then the other end takes or gives the rest. The call must
 * have moved all of it, every byte once, and in the end the process has no memory and no descriptor
 * that it had not before.
 */
#include "migrate/rest.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child/child.h"
#include "migrate/rest_call.h"
#include "migrate/sleep_on.h"
#include "test.h"
#include "tracee/maps.h"
#include "tracee/tracee.h"

#define SIZE  (300 << 10)
#define PARTS 7
#define MANY  4
#define TURNS 4
#define TOLD  1 /* what its handler adds to page->flag */

static int ends[2]; /* of a pipe or socket pair: the child has 1 for writing and 0 for reading */
static uint8_t bytes[SIZE], got[SIZE];

static void fill(void)
{
	for (size_t i = 0; i < SIZE; i++)
		bytes[i] = (uint8_t)(i * 7 + i / 251);
}

/* ---- the calls; each in the child, and it ends with 0 when all went well ---- */

/* memory in parts of several lengths, none of them too */
static void cut(struct iovec *v, void *p)
{
	static const size_t lengths[PARTS] = { 1, 0, 70000, 4096, 100000, 33, SIZE - 174130 };
	uint8_t *at = p;

	for (size_t i = 0; i < PARTS; i++) {
		v[i] = (struct iovec){ at, lengths[i] };
		at += lengths[i];
	}
}

static int write_all(struct child *c)
{
	child_say(c);
	return write(ends[1], bytes, SIZE) != SIZE;
}

static int writev_all(struct child *c)
{
	struct iovec v[PARTS];

	cut(v, bytes);
	child_say(c);
	return writev(ends[1], v, PARTS) != SIZE;
}

static int send_all(struct child *c)
{
	child_say(c);
	return send(ends[1], bytes, SIZE, 0) != SIZE;
}

static int sendmsg_all(struct child *c)
{
	struct iovec v[PARTS];
	const struct msghdr m = { .msg_iov = v, .msg_iovlen = PARTS };

	cut(v, bytes);
	child_say(c);
	return sendmsg(ends[1], &m, 0) != SIZE;
}

static int sendfile_all(struct child *c)
{
	int fd = memfd_create("file", 0);

	if (write(fd, bytes, SIZE) != SIZE || lseek(fd, 0, SEEK_SET))
		return 2;
	child_say(c);
	return sendfile(ends[1], fd, NULL, SIZE) != SIZE;
}

static int recv_all(struct child *c)
{
	child_say(c);
	if (recv(ends[0], got, SIZE, MSG_WAITALL) != SIZE)
		return 1;
	return memcmp(got, bytes, SIZE) ? 2 : 0;
}

static int recvmsg_all(struct child *c)
{
	struct iovec v[PARTS];
	struct msghdr m = { .msg_iov = v, .msg_iovlen = PARTS };

	cut(v, got);
	child_say(c);
	if (recvmsg(ends[0], &m, MSG_WAITALL) != SIZE)
		return 1;
	return memcmp(got, bytes, SIZE) ? 2 : 0;
}

/* each message has a quarter of it */
static int sendmmsg_all(struct child *c)
{
	struct mmsghdr m[MANY] = { 0 };
	struct iovec v[MANY];

	for (size_t i = 0; i < MANY; i++) {
		v[i] = (struct iovec){ bytes + i * (SIZE / MANY), SIZE / MANY };
		m[i].msg_hdr = (struct msghdr){ .msg_iov = &v[i], .msg_iovlen = 1 };
	}
	child_say(c);
	return sendmmsg(ends[1], m, MANY, 0) != MANY;
}

static void on_signal(int signo)
{
	(void)signo;
}

/* a handler of its own ends the call, with what it had moved */
static int write_a_part(struct child *c)
{
	const struct sigaction a = { .sa_handler = on_signal };
	ssize_t n;

	(void)sigaction(SIGUSR1, &a, NULL);
	child_say(c);
	n = write(ends[1], bytes, SIZE);
	atomic_store(&c->page->counter, n);
	child_say(c);
	return n <= 0 || n >= SIZE;
}

/* what an inlined call may rely on: no register but rax, rcx and r11 is another one after it */
static int write_in_registers(struct child *c)
{
	uint64_t rdi = (uint64_t)ends[1], rsi = (uint64_t)bytes, rdx = SIZE;
	int64_t n;

	child_say(c);
	/* no call of a function from here on */
	register uint64_t r8 __asm__("r8") = 88, r9 __asm__("r9") = 99, r10 __asm__("r10") = 1010;
	register uint64_t r12 __asm__("r12") = 1212;

	__asm__ volatile("syscall"
			 : "=a"(n), "+D"(rdi), "+S"(rsi), "+d"(rdx), "+r"(r8), "+r"(r9), "+r"(r10),
			   "+r"(r12)
			 : "0"(SYS_write)
			 : "rcx", "r11", "memory");
	return n != SIZE || rdi != (uint64_t)ends[1] || rsi != (uint64_t)bytes || rdx != SIZE ||
	       r8 != 88 || r9 != 99 || r10 != 1010 || r12 != 1212;
}

/* ---- the agent ---- */

static const struct stub_ops no_ops;

static int take_and_give_back(pid_t pid)
{
	struct err e = { 0 };
	struct stub s;
	int r;

	stub_init(&s, NULL, &no_ops, NULL);
	r = stub_seize(&s, pid, &e);
	if (!r)
		r = stub_prepare(&s, 0, NULL, &e);
	if (r < 0)
		print_error("%s\n", e.text);
	stub_release(&s);
	return r;
}

/* as one process after the other: each ends, and leaves what it has to */
static void disturb(pid_t pid)
{
	int status;
	pid_t agent = fork();

	assert_true(agent >= 0);
	if (agent == 0)
		_exit(take_and_give_back(pid) ? 1 : 0);
	assert_int_equal(waitpid(agent, &status, 0), agent);
	assert_int_equal(status, 0);
}

static bool has_region(pid_t pid)
{
	bool found = false;
	struct maps m;

	assert_int_equal(maps_read(pid, false, &m, NULL), 0);
	for (size_t i = 0; i < m.n; i++)
		found |= m.entries[i].prot == 7;
	maps_done(&m);
	return found;
}

static int n_fds(pid_t pid)
{
	char path[32];
	DIR *dir;
	int n = 0;

	(void)snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	dir = opendir(path);
	assert_non_null(dir);
	while (readdir(dir))
		n++;
	(void)closedir(dir);
	return n;
}

/* ---- the other end ---- */

static void drain(size_t want)
{
	size_t n = 0;

	while (n < want) {
		ssize_t r = read(ends[0], got + n, want - n);

		assert_true(r > 0);
		n += (size_t)r;
	}
	assert_memory_equal(got, bytes, want);
}

static void give(size_t from, size_t to)
{
	while (from < to) {
		ssize_t r = write(ends[1], bytes + from, to - from);

		assert_true(r > 0);
		from += (size_t)r;
	}
}

static void drain_all(void)
{
	drain(SIZE);
}

struct row {
	const char *name;
	int (*call)(struct child *c);
	int (*make)(int ret[2]);
	long nr;
	size_t first; /* reads: given before */
	void (*end)(void);
};

static int make_pipe(int ret[2])
{
	return pipe(ret);
}

static int make_pair(int ret[2])
{
	return socketpair(AF_UNIX, SOCK_STREAM, 0, ret);
}

static int make_messages(int ret[2])
{
	return socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ret);
}

static void give_rest(void)
{
	give(100000, SIZE);
}

static const struct row rows[] = {
	{ "write", write_all, make_pipe, SYS_write, 0, drain_all },
	{ "write to a socket", write_all, make_pair, SYS_write, 0, drain_all },
	{ "writev", writev_all, make_pipe, SYS_writev, 0, drain_all },
	{ "send", send_all, make_pair, SYS_sendto, 0, drain_all },
	{ "sendmsg", sendmsg_all, make_pair, SYS_sendmsg, 0, drain_all },
	{ "sendfile", sendfile_all, make_pair, SYS_sendfile, 0, drain_all },
	{ "recv", recv_all, make_pair, SYS_recvfrom, 100000, give_rest },
	{ "recvmsg", recvmsg_all, make_pair, SYS_recvmsg, 100000, give_rest },
	{ "sendmmsg", sendmmsg_all, make_messages, SYS_sendmmsg, 0, drain_all },
	{ "registers", write_in_registers, make_pipe, SYS_write, 0, drain_all },
};

static void start(struct child *c, const struct row *row)
{
	assert_int_equal(row->make(ends), 0);
	child_start(c, row->call);
	child_await(c);
	child_until_in_call(c->pid, row->nr);
	if (row->first) {
		give(0, row->first);
		/* until the child has taken it, it has not moved a part */
		while (poll(&(struct pollfd){ .fd = ends[0], .events = POLLIN }, 1, 0))
			(void)sched_yield();
		child_until_in_call(c->pid, row->nr);
	}
}

static void end(void)
{
	(void)close(ends[0]);
	(void)close(ends[1]);
}

static void one(const struct row *row)
{
	struct child c;
	int before;

	start(&c, row);
	before = n_fds(c.pid);
	for (int i = 0; i < TURNS; i++)
		disturb(c.pid);
	/* it waits where it was put, and nobody holds it */
	if (!has_region(c.pid) || n_fds(c.pid) != before + 1)
		fail_msg("%s: was not in the middle of its call", row->name);
	row->end();
	if (child_exit_status(&c) != 0)
		fail_msg("%s: did not move all of it", row->name);
	end();
}

static void all_of_it_is_moved(void **state)
{
	fill();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		one(&rows[i]);
}

static int write_twice(struct child *c)
{
	int r = write_all(c);

	child_hear(c);
	return r ?: write_all(c);
}

/* after the call is done everything of ours goes away by itself */
static void nothing_is_left(void **state)
{
	const struct row row = { "twice", write_twice, make_pipe, SYS_write, 0, drain_all };
	struct child c;
	int before;

	fill();
	start(&c, &row);
	before = n_fds(c.pid);
	disturb(c.pid);
	assert_true(has_region(c.pid));
	drain(SIZE);
	while (has_region(c.pid) || n_fds(c.pid) != before)
		(void)sched_yield();
	child_tell(&c);
	child_await(&c);
	drain(SIZE);
	assert_int_equal(child_exit_status(&c), 0);
	end();
}

static void a_signal_ends_it(void **state)
{
	const struct row row = { "part", write_a_part, make_pipe, SYS_write, 0, drain_all };
	struct child c;

	fill();
	start(&c, &row);
	disturb(c.pid);
	child_until_in_call(c.pid, row.nr);
	assert_int_equal(kill(c.pid, SIGUSR1), 0);
	child_await(&c);
	/* as many as it says are there, and no more */
	drain((size_t)atomic_load(&c.page->counter));
	assert_int_equal(child_exit_status(&c), 0);
	(void)close(ends[1]);
	assert_int_equal(read(ends[0], got, 1), 0);
	(void)close(ends[0]);
}

static int sleep_long(struct child *c)
{
	const struct timespec whole = { .tv_sec = 3600 };
	struct timespec rest;

	child_say(c);
	return syscall(SYS_nanosleep, &whole, &rest) || atomic_load(&c->page->flag) != 1;
}

static int clock_sleep_long(struct child *c)
{
	const struct timespec whole = { .tv_sec = 3600 };

	child_say(c);
	return clock_nanosleep(CLOCK_REALTIME, 0, &whole, NULL) || atomic_load(&c->page->flag) != 1;
}

static int poll_long(struct child *c)
{
	struct pollfd p = { .fd = ends[0], .events = POLLIN };

	child_say(c);
	return poll(&p, 1, 3600 * 1000) || p.revents || atomic_load(&c->page->flag) != 1;
}

/* the agent brings it home from a sleep that has a moment left */
static int come_home(pid_t pid, uint64_t nr)
{
	struct err e = { 0 };
	struct image_thread *t;
	struct stub s;
	int r;

	stub_init(&s, NULL, &no_ops, NULL);
	r = stub_seize(&s, pid, &e);
	if (!r)
		r = stub_prepare(&s, 0, NULL, &e);
	if (!r) {
		t = &s.before.threads[0];
		t->regs.rax = nr;
		t->wait_until_ns = 1; /* long ago */
		r = sleep_on(&s, t);
		/* and so it is let go, by its registers */
		if (tracee_detach(pid, 0) < 0)
			r = -ESRCH;
	}
	if (e.code)
		print_error("%s\n", e.text);
	return r;
}

/* the whole time is an hour: if it slept that again nobody would wait for the end of this test */
static void only_the_rest_is_slept(void **state)
{
	static const struct {
		int (*call)(struct child *c);
		long nr;
	} calls[] = {
		{ sleep_long, SYS_nanosleep },
		{ clock_sleep_long, SYS_clock_nanosleep },
		{ poll_long, SYS_poll },
	};
	struct child c;
	int status;
	pid_t agent;

	assert_int_equal(make_pipe(ends), 0);
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		child_start(&c, calls[i].call);
		child_await(&c);
		child_until_in_call(c.pid, calls[i].nr);
		atomic_store(&c.page->flag, 1);
		agent = fork();
		if (agent == 0)
			_exit(come_home(c.pid, (uint64_t)calls[i].nr) ? 1 : 0);
		assert_int_equal(waitpid(agent, &status, 0), agent);
		assert_int_equal(status, 0);
		assert_int_equal(child_exit_status(&c), 0);
	}
	end();
}

/* a call that says restart_syscall(2) since its last stop is known all the same */
static void restarted_calls_are_known(void **state)
{
	struct err e = { 0 };
	struct child c;
	int status;
	pid_t agent;

	assert_int_equal(make_pipe(ends), 0);
	child_start(&c, poll_long);
	child_await(&c);
	child_until_in_call(c.pid, SYS_poll);
	disturb(c.pid);
	child_until_in_call(c.pid, SYS_restart_syscall);
	agent = fork();
	if (agent == 0) {
		struct stub s;

		stub_init(&s, NULL, &no_ops, NULL);
		status = stub_seize(&s, c.pid, &e);
		_exit(status || s.before.threads[0].restart_call != SYS_poll);
	}
	assert_int_equal(waitpid(agent, &status, 0), agent);
	assert_int_equal(status, 0);
	(void)child_end(&c);
	end();
}

/* a short count that is all there is: a read of a pipe, a socket that must not wait */
static void others_are_left_alone(void **state)
{
	const uint64_t args[6] = { 0, 0, 100, MSG_DONTWAIT };
	uint64_t fds[6] = { 0, 0, 100 };

	assert_int_equal(make_pipe(ends), 0);
	fds[0] = (uint64_t)ends[0];
	assert_false(rest_is_part(getpid(), SYS_read, fds, 50));
	fds[0] = (uint64_t)ends[1];
	assert_true(rest_is_part(getpid(), SYS_write, fds, 50));
	assert_false(rest_is_part(getpid(), SYS_write, fds, 100));
	assert_false(rest_is_part(getpid(), SYS_write, fds, -EINTR));
	assert_false(rest_is_part(getpid(), SYS_write, fds, 0));
	assert_false(rest_is_part(getpid(), SYS_getpid, fds, 50));
	assert_false(rest_is_part(getpid(), SYS_sendto, args, 50));
	assert_false(rest_is_part(getpid(), SYS_recvfrom, (uint64_t[6]){ 0, 0, 100, 0 }, 50));
	assert_false(rest_is_part(getpid(), SYS_writev, (uint64_t[6]){ fds[0], 0, 5000 }, 50));
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_of_it_is_moved),
		cmocka_unit_test(nothing_is_left),
		cmocka_unit_test(a_signal_ends_it),
		cmocka_unit_test(only_the_rest_is_slept),
		cmocka_unit_test(restarted_calls_are_known),
		cmocka_unit_test(others_are_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
