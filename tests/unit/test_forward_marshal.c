/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_forward_marshal.c - what needs answers that no kernel gives on demand, and the parasite
 * itself */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "test.h"

#include "forward/call.h"
#include "forward/home/perform.h"
#include "forward/twin.h"

#define SECOND 1000000000ULL

/* ---------------------------------------------------------------- by hand */

struct hand {
	struct marshal *m;
	struct buf request;
	int64_t result;
	uint8_t answer[CALL_BYTES_MAX];
};

static ssize_t own_read(void *owner, uint64_t at, void *p, size_t n)
{
	if (at < 4096)
		return -EFAULT;
	memcpy(p, (const void *)(uintptr_t)at, n);
	return (ssize_t)n;
}

static int own_write(void *owner, uint64_t at, const void *p, size_t n)
{
	if (at < 4096)
		return -EFAULT;
	memcpy((void *)(uintptr_t)at, p, n);
	return 0;
}

static int hand_new(void **state)
{
	struct marshal_memory memory = { NULL, own_read, own_write };
	struct hand *h = calloc(1, sizeof(*h));

	assert_non_null(h);
	h->m = marshal_new(&memory, 900, 909);
	buf_init(&h->request, CALL_BYTES_MAX);
	*state = h;
	return 0;
}

static int hand_free(void **state)
{
	struct hand *h = *state;

	marshal_free(h->m);
	buf_done(&h->request);
	free(h);
	return 0;
}

static struct call_request asked(const struct hand *h)
{
	struct call_request q;

	assert_true(h->request.len >= sizeof(q));
	memcpy(&q, buf_bytes(&h->request), sizeof(q));
	return q;
}

static int begin(struct hand *h, uint32_t nr, const uint64_t args[6])
{
	return marshal_begin(h->m, nr, args, SECOND, &h->request, &h->result);
}

/* an answer as long as it has to be, its output zero */
static int answer_flags(struct hand *h, int64_t result, uint32_t flags, uint64_t now_ns)
{
	struct call_request q = asked(h);
	struct call_answer a = { .result = result, .flags = flags };
	uint32_t rest = q.out_len - q.out_fixed;

	if (result >= 0)
		a.out_len = q.out_fixed + ((uint64_t)result < rest ? (uint32_t)result : rest);
	memset(h->answer, 0, sizeof(h->answer));
	memcpy(h->answer, &a, sizeof(a));
	return marshal_answer(h->m, h->answer, sizeof(a) + a.out_len, now_ns, &h->request,
			      &h->result);
}

static int answer(struct hand *h, int64_t result, uint64_t now_ns)
{
	return answer_flags(h, result, 0, now_ns);
}

static void test_interrupted_read(void **state)
{
	struct hand *h = *state;
	static uint8_t data[1 << 20];

	assert_int_equal(begin(h, SYS_read, ARGS(3, P(data), 100)), MARSHAL_SEND);
	assert_int_equal(answer(h, -512, SECOND), MARSHAL_RESULT);
	assert_int_equal(h->result, -512);
	assert_true(marshal_interrupted(h->result) && marshal_interrupted(-EINTR));
	assert_false(marshal_interrupted(-EAGAIN) || marshal_interrupted(0));
	/* nobody is there for it: once more */
	assert_int_equal(marshal_again(h->m, 2 * SECOND, &h->request, &h->result), MARSHAL_SEND);
	assert_int_equal(asked(h).args[2], 100);
	assert_int_equal(answer(h, 7, SECOND), MARSHAL_RESULT);
	assert_int_equal(h->result, 7);
}

static int again(struct hand *h)
{
	return marshal_again(h->m, SECOND, &h->request, &h->result);
}

/* what was written before an interruption is what the call has done; never is it written again */
static void test_interrupted_progress(void **state)
{
	struct hand *h = *state;
	static uint8_t data[1 << 20];

	assert_int_equal(begin(h, SYS_write, ARGS(3, P(data), sizeof(data))), MARSHAL_SEND);
	assert_int_equal(asked(h).args[2], CALL_CHUNK);
	assert_int_equal(answer(h, CALL_CHUNK, SECOND), MARSHAL_SEND);
	assert_int_equal(answer(h, -512, SECOND), MARSHAL_CUT);
	assert_int_equal(h->result, CALL_CHUNK);
	/* an error behind progress likewise, and a short piece is the end */
	assert_int_equal(begin(h, SYS_write, ARGS(3, P(data), sizeof(data))), MARSHAL_SEND);
	assert_int_equal(answer(h, CALL_CHUNK, SECOND), MARSHAL_SEND);
	assert_int_equal(answer(h, -ENOSPC, SECOND), MARSHAL_RESULT);
	assert_int_equal(h->result, CALL_CHUNK);
	assert_int_equal(begin(h, SYS_write, ARGS(3, P(data), sizeof(data))), MARSHAL_SEND);
	assert_int_equal(answer(h, CALL_CHUNK - 1, SECOND), MARSHAL_RESULT);
	assert_int_equal(h->result, CALL_CHUNK - 1);
}

/* a full chunk of a read asks what file it is: only of a regular one more is read */
/* a stop ended it when a part was done: the rest is asked for, and the sum is the result */
static void test_cut(void **state)
{
	struct hand *h = *state;
	static uint8_t data[300 << 10];
	static const struct {
		uint32_t nr;
		uint64_t flags;
	} calls[] = { { SYS_write, 0 }, { SYS_sendto, 0 }, { SYS_recvfrom, MSG_WAITALL } };

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		assert_int_equal(
			begin(h, calls[i].nr, ARGS(3, P(data), sizeof(data), calls[i].flags, 0, 0)),
			MARSHAL_SEND);
		assert_int_equal(answer_flags(h, 65536, CALL_CUT, SECOND), MARSHAL_CUT);
		assert_int_equal(h->result, 65536);
		assert_int_equal(again(h), MARSHAL_SEND);
		assert_int_equal(asked(h).args[2], CALL_CHUNK);
		assert_int_equal(answer(h, CALL_CHUNK, SECOND), MARSHAL_SEND);
		assert_int_equal(asked(h).args[2], sizeof(data) - 65536 - CALL_CHUNK);
		assert_int_equal(answer_flags(h, -EINTR, CALL_CUT, SECOND), MARSHAL_CUT);
		assert_int_equal(h->result, 65536 + CALL_CHUNK);
		assert_int_equal(again(h), MARSHAL_SEND);
		assert_int_equal(answer(h, (int64_t)asked(h).args[2], SECOND), MARSHAL_RESULT);
		assert_int_equal(h->result, sizeof(data));
	}
	/* the stop came when it had all */
	assert_int_equal(begin(h, SYS_write, ARGS(3, P(data), 100)), MARSHAL_SEND);
	assert_int_equal(answer_flags(h, 100, CALL_CUT, SECOND), MARSHAL_RESULT);
	/* nothing ended it but that it had no more to do */
	assert_int_equal(begin(h, SYS_write, ARGS(3, P(data), 100)), MARSHAL_SEND);
	assert_int_equal(answer(h, 60, SECOND), MARSHAL_RESULT);
	assert_int_equal(h->result, 60);
	/* what is left is an error: then the part is all there is */
	assert_int_equal(begin(h, SYS_write, ARGS(3, P(data), 100)), MARSHAL_SEND);
	assert_int_equal(answer_flags(h, 60, CALL_CUT, SECOND), MARSHAL_CUT);
	assert_int_equal(again(h), MARSHAL_SEND);
	assert_int_equal(answer(h, -EPIPE, SECOND), MARSHAL_RESULT);
	assert_int_equal(h->result, 60);
}

/* a read gives what there is: only of a file it is asked whether that was all */
static void test_cut_read(void **state)
{
	struct hand *h = *state;
	static uint8_t data[100000];

	assert_int_equal(begin(h, SYS_read, ARGS(3, P(data), sizeof(data))), MARSHAL_SEND);
	assert_int_equal(answer_flags(h, 4096, CALL_CUT, SECOND), MARSHAL_SEND);
	assert_int_equal(asked(h).nr, SYS_fstat);
	/* its answer, all zero, is of no file that goes on */
	assert_int_equal(answer(h, 0, SECOND), MARSHAL_RESULT);
	assert_int_equal(h->result, 4096);
	/* the question itself is stopped: it is asked again, and not the read */
	assert_int_equal(begin(h, SYS_read, ARGS(3, P(data), sizeof(data))), MARSHAL_SEND);
	assert_int_equal(answer_flags(h, 4096, CALL_CUT, SECOND), MARSHAL_SEND);
	assert_int_equal(again(h), MARSHAL_SEND);
	assert_int_equal(asked(h).nr, SYS_fstat);
	assert_int_equal(answer(h, -512, SECOND), MARSHAL_CUT);
	assert_int_equal(h->result, 4096);
	assert_int_equal(begin(h, SYS_recvfrom, ARGS(3, P(data), 100, 0, 0, 0)), MARSHAL_SEND);
	assert_int_equal(answer_flags(h, 50, CALL_CUT, SECOND), MARSHAL_RESULT);
	assert_int_equal(h->result, 50);
}

/* messages and files, and what was done before the call came here */
static void test_cut_others(void **state)
{
	static uint8_t data[4][100];
	struct iovec part = { data, sizeof(data) };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
	struct mmsghdr many[4] = { 0 };
	struct hand *h = *state;

	assert_int_equal(begin(h, SYS_sendmsg, ARGS(3, P(&message), 0)), MARSHAL_SEND);
	assert_int_equal(answer_flags(h, 150, CALL_CUT, SECOND), MARSHAL_CUT);
	assert_int_equal(again(h), MARSHAL_SEND);
	assert_int_equal(asked(h).nr, SYS_sendto);
	assert_int_equal(asked(h).args[2], 250);
	assert_int_equal(answer(h, 250, SECOND), MARSHAL_RESULT);
	assert_int_equal(h->result, 400);

	for (size_t i = 0; i < 4; i++)
		many[i].msg_hdr = (struct msghdr){ .msg_iov = &part, .msg_iovlen = 1 };
	assert_int_equal(marshal_resume(h->m, SYS_recvmmsg, ARGS(3, P(many), 4, 0, 0), 2, SECOND,
					&h->request, &h->result),
			 MARSHAL_SEND);
	assert_int_equal(answer(h, 7, SECOND), MARSHAL_SEND);
	assert_int_equal(many[2].msg_len, 7);
	assert_int_equal(answer(h, -512, SECOND), MARSHAL_CUT);
	assert_int_equal(h->result, 3);
	assert_int_equal(again(h), MARSHAL_SEND);
	assert_int_equal(answer(h, 9, SECOND), MARSHAL_RESULT);
	assert_int_equal(h->result, 4);
	assert_int_equal(many[3].msg_len, 9);

	assert_int_equal(marshal_resume(h->m, SYS_sendfile, ARGS(3, 4, 0, 1000), 300, SECOND,
					&h->request, &h->result),
			 MARSHAL_SEND);
	assert_int_equal(asked(h).args[3], 700);
	assert_int_equal(answer_flags(h, 100, CALL_CUT, SECOND), MARSHAL_CUT);
	assert_int_equal(again(h), MARSHAL_SEND);
	assert_int_equal(asked(h).args[3], 600);
	assert_int_equal(answer(h, 0, SECOND), MARSHAL_RESULT); /* the file ends */
	assert_int_equal(h->result, 400);
}

/* an image was made of it in the middle, and it goes on where it was */
static void test_repeat(void **state)
{
	struct timespec whole = { 100, 0 }, rest = { 0 }, left;
	const uint64_t sleep[6] = { P(&whole), P(&rest) }, same[6] = { P(&whole), P(&whole) };
	const uint64_t *const calls[] = { sleep, same };
	const uint64_t other[6] = { P(&whole) };
	struct hand *h = *state;

	/* also where the rest is written over the time: it is not taken off twice */
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(begin(h, SYS_nanosleep, calls[i]), MARSHAL_SEND);
		assert_int_equal(answer(h, -516, 41 * SECOND), MARSHAL_RESULT);
		assert_int_equal(i ? whole.tv_sec : rest.tv_sec, 60);
		assert_int_equal(marshal_repeat(h->m, SYS_nanosleep, other, 51 * SECOND,
						&h->request, &h->result),
				 -EINVAL);
		assert_int_equal(marshal_repeat(h->m, SYS_nanosleep, calls[i], 51 * SECOND,
						&h->request, &h->result),
				 MARSHAL_SEND);
		memcpy(&left,
		       buf_bytes(&h->request) + sizeof(struct call_request) +
			       sizeof(struct call_fixup),
		       sizeof(left));
		assert_int_equal(left.tv_sec, 50);
	}
}

static void test_stopped(void **state)
{
	const struct call_answer eintr = { .result = -EINTR }, cut = { -EINTR, 0, CALL_CUT };
	struct hand *h = *state;

	assert_int_equal(begin(h, SYS_semop, ARGS(3, 0, 0)), MARSHAL_SEND);
	assert_true(marshal_stopped(h->m, &cut));
	assert_false(marshal_stopped(h->m, &eintr));
	assert_int_equal(begin(h, SYS_close, ARGS(3)), MARSHAL_SEND);
	assert_false(marshal_stopped(h->m, &cut));
}

static void test_long_read(void **state)
{
	struct hand *h = *state;
	static uint8_t data[1 << 20];

	assert_int_equal(begin(h, SYS_read, ARGS(3, P(data), sizeof(data))), MARSHAL_SEND);
	assert_int_equal(answer(h, CALL_CHUNK, SECOND), MARSHAL_SEND);
	assert_int_equal(asked(h).nr, SYS_fstat);
	assert_int_equal(answer(h, 0, SECOND), MARSHAL_RESULT); /* mode 0: no file */
	assert_int_equal(h->result, CALL_CHUNK);
	assert_int_equal(begin(h, SYS_read, ARGS(3, P(data), sizeof(data))), MARSHAL_SEND);
	assert_int_equal(answer(h, CALL_CHUNK, SECOND), MARSHAL_SEND);
	assert_int_equal(answer(h, -512, SECOND), MARSHAL_CUT);
	assert_int_equal(h->result, CALL_CHUNK);
}

static void test_sleep(void **state)
{
	struct hand *h = *state;
	struct timespec request = { 10, 5 }, rest = { 77, 77 };
	uint64_t value;
	int arg;

	assert_int_equal(begin(h, SYS_nanosleep, ARGS(P(&request), P(&rest))), MARSHAL_SEND);
	assert_int_equal(asked(h).args[1], 0);
	assert_false(marshal_rest(h->m, SECOND, &arg, &value));
	assert_int_equal(marshal_again(h->m, 4 * SECOND, &h->request, &h->result), MARSHAL_SEND);
	memcpy(&rest, buf_bytes(&h->request) + sizeof(struct call_request) + 8, sizeof(rest));
	assert_int_equal(rest.tv_sec, 7); /* three of ten have passed */
	assert_int_equal(rest.tv_nsec, 5);
	assert_int_equal(answer(h, -516, 5 * SECOND), MARSHAL_RESULT);
	assert_int_equal(h->result, -EINTR);
	assert_int_equal(rest.tv_sec, 6);
	assert_int_equal(rest.tv_nsec, 5);
	assert_int_equal(request.tv_sec, 10);
	/* until a time of day: there is no rest, and it is repeated as it is */
	rest.tv_sec = 77;
	assert_int_equal(begin(h, SYS_clock_nanosleep,
			       ARGS(CLOCK_MONOTONIC, TIMER_ABSTIME, P(&request), P(&rest))),
			 MARSHAL_SEND);
	assert_int_equal(answer(h, -514, 5 * SECOND), MARSHAL_RESULT);
	assert_int_equal(h->result, -514);
	assert_int_equal(rest.tv_sec, 77);
	/* the rest cannot be written */
	assert_int_equal(begin(h, SYS_nanosleep, ARGS(P(&request), 8)), MARSHAL_SEND);
	assert_int_equal(answer(h, -516, 5 * SECOND), MARSHAL_RESULT);
	assert_int_equal(h->result, -EFAULT);
}

static void test_poll_time(void **state)
{
	struct hand *h = *state;
	struct timeval tv = { 5, 250000 };
	uint64_t value;
	int arg;

	assert_int_equal(begin(h, SYS_poll, ARGS(0, 0, 3000)), MARSHAL_SEND);
	assert_true(marshal_rest(h->m, 2 * SECOND + 1, &arg, &value));
	assert_int_equal(arg, 2);
	assert_int_equal(value, 2000);
	assert_int_equal(marshal_again(h->m, 2 * SECOND, &h->request, &h->result), MARSHAL_SEND);
	assert_int_equal(asked(h).args[2], 2000);
	assert_int_equal(marshal_again(h->m, 9 * SECOND, &h->request, &h->result), MARSHAL_SEND);
	assert_int_equal(asked(h).args[2], 0);
	assert_int_equal(answer(h, -516, 9 * SECOND), MARSHAL_RESULT);
	assert_int_equal(h->result, -514);
	assert_int_equal(begin(h, SYS_poll, ARGS(0, 0, (uint32_t)-1)), MARSHAL_SEND);
	assert_false(marshal_rest(h->m, SECOND, &arg, &value)); /* for ever */
	assert_int_equal(begin(h, SYS_epoll_wait, ARGS(3, P(h->answer), 10, 50)), MARSHAL_SEND);
	assert_true(marshal_rest(h->m, SECOND, &arg, &value));
	assert_int_equal(arg, 3);
	assert_int_equal(value, 50);
	/* select: what is left goes into memory, so that the call can be made again at home */
	assert_int_equal(begin(h, SYS_select, ARGS(0, 0, 0, 0, P(&tv))), MARSHAL_SEND);
	assert_int_equal(answer(h, -514, 3 * SECOND), MARSHAL_RESULT);
	assert_int_equal(h->result, -514);
	assert_int_equal(tv.tv_sec, 3);
	assert_int_equal(tv.tv_usec, 250000);
}

static void test_wait_mask(void **state)
{
	struct hand *h = *state;
	uint64_t mask = 0x1234, got = 0;

	assert_int_equal(begin(h, SYS_ppoll, ARGS(0, 0, 0, P(&mask), 8)), MARSHAL_SEND);
	assert_int_equal(asked(h).args[3], 0); /* stays here */
	assert_true(marshal_wait_mask(h->m, &got));
	assert_int_equal(got, mask);
	assert_int_equal(begin(h, SYS_poll, ARGS(0, 0, 0)), MARSHAL_SEND);
	assert_false(marshal_wait_mask(h->m, &got));
}

static void test_lies(void **state)
{
	struct hand *h = *state;
	static uint8_t data[4096];
	struct call_answer a = { .result = 50, .out_len = 50 };

	/* more than was asked for, longer or shorter than its result, broken */
	assert_int_equal(begin(h, SYS_write, ARGS(3, P(data), 100)), MARSHAL_SEND);
	assert_int_equal(answer(h, 101, SECOND), -EPROTO);
	assert_int_equal(begin(h, SYS_read, ARGS(3, P(data), 100)), MARSHAL_SEND);
	assert_int_equal(answer(h, 101, SECOND), -EPROTO);
	memcpy(h->answer, &a, sizeof(a));
	assert_int_equal(
		marshal_answer(h->m, h->answer, sizeof(a) + 49, 0, &h->request, &h->result),
		-EPROTO);
	assert_int_equal(marshal_answer(h->m, h->answer, sizeof(a) - 1, 0, &h->request, &h->result),
			 -EPROTO);
	a.out_len = 51;
	memcpy(h->answer, &a, sizeof(a));
	assert_int_equal(
		marshal_answer(h->m, h->answer, sizeof(a) + 51, 0, &h->request, &h->result),
		-EPROTO);
	a = (struct call_answer){ .result = 50, .out_len = 50, .flags = 2 };
	memcpy(h->answer, &a, sizeof(a));
	assert_int_equal(
		marshal_answer(h->m, h->answer, sizeof(a) + 50, 0, &h->request, &h->result),
		-EPROTO);
}

static void test_returns(void **state)
{
	struct hand *h = *state;
	static uint8_t data[1 << 20];

	assert_int_equal(begin(h, SYS_fork, ARGS(0)), MARSHAL_RETURN);
	assert_int_equal(begin(h, 12345, ARGS(0)), MARSHAL_RETURN);
	assert_int_equal(begin(h, SYS_ioctl, ARGS(1, 0xdeadbeef, 0)), MARSHAL_RETURN);
	assert_int_equal(begin(h, SYS_getpid, ARGS(0)), MARSHAL_RETURN);
	assert_int_equal(begin(h, SYS_setxattr, ARGS(P(data), P(data), P(data), sizeof(data), 0)),
			 MARSHAL_RETURN);
	assert_int_equal(begin(h, SYS_close_range, ARGS(3, 100, 2)), MARSHAL_RETURN);
	assert_int_equal(begin(h, SYS_setsockopt, ARGS(3, SOL_SOCKET, 26, P(data), 16)),
			 MARSHAL_RETURN);
}

/* the parasite's descriptors do not exist */
static void test_reserved(void **state)
{
	struct hand *h = *state;
	struct pollfd fds = { .fd = 905, .events = POLLIN }, sent;
	fd_set set;
	struct {
		uint64_t len;
		int level, type, fd, pad;
	} control = { CMSG_LEN(4), SOL_SOCKET, SCM_RIGHTS, 905, 0 };
	struct iovec v = { &fds, 1 };
	struct msghdr msg = { .msg_iov = &v,
			      .msg_iovlen = 1,
			      .msg_control = &control,
			      .msg_controllen = sizeof(control) };
	static const struct {
		uint32_t nr;
		uint64_t args[6];
	} rows[] = {
		{ SYS_close, { 900 } },
		{ SYS_read, { 909, 8, 1 } },
		{ SYS_dup2, { 1, 905 } },
		{ SYS_dup3, { 905, 1, 0 } },
		{ SYS_fcntl, { 905, F_GETFD } },
		{ SYS_epoll_ctl, { 3, EPOLL_CTL_ADD, 905, 8 } },
		{ SYS_sendfile, { 1, 905, 0, 1 } },
		{ SYS_splice, { 1, 0, 905, 0, 1, 0 } },
		{ SYS_openat, { 905, 8, 0, 0 } },
		{ SYS_sendmsg, { 905, 8, 0 } },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		h->result = 0;
		assert_int_equal(begin(h, rows[i].nr, rows[i].args), MARSHAL_RESULT);
		assert_int_equal(h->result, -EBADF);
	}
	assert_int_equal(begin(h, SYS_fcntl, ARGS(1, F_DUPFD, 905)), MARSHAL_SEND);
	assert_int_equal(asked(h).args[2], 910);
	assert_int_equal(begin(h, SYS_close_range, ARGS(800, 950, 0)), MARSHAL_SEND);
	assert_int_equal(asked(h).args[1], 899);
	assert_int_equal(answer(h, 0, SECOND), MARSHAL_SEND);
	assert_int_equal(asked(h).args[0], 910);
	assert_int_equal(asked(h).args[1], 950);
	assert_int_equal(answer(h, 0, SECOND), MARSHAL_RESULT);
	assert_int_equal(begin(h, SYS_close_range, ARGS(901, 905, 0)), MARSHAL_RESULT);
	assert_int_equal(begin(h, SYS_poll, ARGS(P(&fds), 1, 0)), MARSHAL_SEND);
	memcpy(&sent, buf_bytes(&h->request) + sizeof(struct call_request) + 8, sizeof(sent));
	assert_int_equal(sent.fd, INT32_MAX);
	assert_int_equal(fds.fd, 905);
	FD_ZERO(&set);
	FD_SET(905, &set);
	assert_int_equal(begin(h, SYS_select, ARGS(906, P(&set), 0, 0, 0)), MARSHAL_RESULT);
	assert_int_equal(h->result, -EBADF);
	assert_int_equal(begin(h, SYS_select, ARGS(905, P(&set), 0, 0, 0)), MARSHAL_SEND);
	assert_int_equal(begin(h, SYS_sendmsg, ARGS(3, P(&msg), 0)), MARSHAL_RESULT);
	assert_int_equal(h->result, -EBADF);
}

/* ------------------------------------------------------------ the parasite */

static int twin_new(void **state)
{
	*state = calloc(1, sizeof(struct twin));
	assert_non_null(*state);
	twin_start(*state);
	return 0;
}

static int twin_free(void **state)
{
	twin_stop(*state);
	free(*state);
	return 0;
}

static int64_t ask(struct twin *t, const void *request, size_t n)
{
	struct call_answer a;

	assert_true(twin_send(t, request, n) >= sizeof(a));
	memcpy(&a, t->answer, sizeof(a));
	return a.result;
}

static void test_parasite_context(void **state)
{
	struct twin *t = *state;
	struct call_request q = { .nr = SYS_getppid };
	uint64_t calls = t->context->calls;

	assert_int_equal(ask(t, &q, sizeof(q)), getppid());
	assert_int_equal(t->context->result, getppid());
	assert_int_equal(t->context->nr, SYS_getppid);
	(void)ask(t, &q, sizeof(q)); /* the one before is counted by now */
	assert_true(t->context->calls >= calls + 1);
	assert_true(parasite_call_end() == parasite_call_begin() + 2);
	assert_memory_equal(t->region + parasite_call_begin(), "\x0f\x05", 2);
}

/* a thread in a slot of its own, talking over a socket of its own */
static void test_parasite_clone(void **state)
{
	struct twin *t = *state;
	struct parasite_context *c = (void *)((uint8_t *)t->context + PARASITE_SLOT_BYTES);
	struct call_request q = { .nr = PARASITE_CLONE, .args = { P(c) } };
	int pair[2], own = t->socket;
	uint32_t length = sizeof(q);
	int64_t tid;

	assert_int_equal(ask(t, &q, sizeof(q)), -EINVAL); /* is not prepared */
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	*c = *t->context;
	c->fd = pair[1];
	c->phase = PARASITE_PREPARED;
	for (uint64_t wrong = 1; wrong < 1 << 20; wrong *= 16) {
		q.args[0] = P(c) + wrong;
		assert_int_equal(ask(t, &q, sizeof(q)), -EINVAL);
		q.args[0] = P(c) - wrong;
		assert_int_equal(ask(t, &q, sizeof(q)), -EINVAL);
	}
	q.args[0] = P(c);
	tid = ask(t, &q, sizeof(q));
	assert_true(tid > 0 && tid != getpid());
	t->socket = pair[0];
	q = (struct call_request){ .nr = SYS_gettid };
	assert_int_equal(ask(t, &q, sizeof(q)), tid);
	t->socket = own;
	assert_true(ask(t, &q, sizeof(q)) != tid);
	q.nr = PARASITE_EXIT;
	assert_int_equal(write(pair[0], &length, sizeof(length)), sizeof(length));
	assert_int_equal(write(pair[0], &q, sizeof(q)), sizeof(q));
	while (syscall(SYS_tgkill, getpid(), tid, 0) == 0) /* until it is gone */
		(void)sched_yield();
	assert_int_equal(c->phase, PARASITE_GONE);
	(void)close(pair[0]);
	(void)close(pair[1]);
}

/* requests that are none, and the end of the stream: the process ends by SIGKILL */
static void expect_kill(const void *frame, size_t n)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		struct twin *t = calloc(1, sizeof(*t));

		twin_start(t);
		if (n && write(t->socket, frame, n) != (ssize_t)n)
			_exit(1);
		if (!n)
			(void)shutdown(t->socket, SHUT_RDWR);
		for (;;)
			(void)pause();
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void test_parasite_hostile(void **state)
{
	struct {
		uint32_t length;
		struct call_request q;
	} __attribute__((packed)) f = { sizeof(f.q), { .nr = SYS_getppid } };

	expect_kill(NULL, 0);
	f.q.in_len = 5; /* is not there */
	expect_kill(&f, sizeof(f));
	f.q.in_len = 0;
	f.q.out_len = f.q.out_fixed = UINT32_MAX;
	expect_kill(&f, sizeof(f));
	f.q.out_len = f.q.out_fixed = 0;
	f.q.n_fixups = 65535;
	expect_kill(&f, sizeof(f));
	f.q.n_fixups = 0;
	f.length = UINT32_MAX;
	expect_kill(&f, sizeof(f));
	f.length = 3;
	expect_kill(&f, sizeof(f));
}

int main(void)
{
#define HAND(test) cmocka_unit_test_setup_teardown(test, hand_new, hand_free)
#define TWIN(test) cmocka_unit_test_setup_teardown(test, twin_new, twin_free)
	const struct CMUnitTest tests[] = {
		HAND(test_interrupted_read),
		HAND(test_interrupted_progress),
		HAND(test_cut),
		HAND(test_cut_read),
		HAND(test_cut_others),
		HAND(test_stopped),
		HAND(test_repeat),
		HAND(test_long_read),
		HAND(test_sleep),
		HAND(test_poll_time),
		HAND(test_wait_mask),
		HAND(test_lies),
		HAND(test_returns),
		HAND(test_reserved),
		TWIN(test_parasite_context),
		TWIN(test_parasite_clone),
		cmocka_unit_test(test_parasite_hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
