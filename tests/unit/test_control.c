/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_control.c - what comosixd says to a half, also before it listens */
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "loop/loop.h"
#include "migrate/control.h"
#include "os/fd.h"
#include "tests/unit/test.h"
#include "wire/message.h"

struct half {
	struct loop *loop;
	struct control *control;
	Cmx__HalfStart *start;
	struct half_link daemon;
	unsigned int homes, drops;
};

static void on_home(void *owner)
{
	struct half *h = owner;

	h->homes++;
	loop_stop(h->loop, 0);
}

static void on_drop(void *owner, const char *text)
{
	struct half *h = owner;

	assert_string_equal(text, "enough");
	h->drops++;
	loop_stop(h->loop, 0);
}

static const struct control_ops ops = { .home = on_home, .drop = on_drop };

static void say_start(struct half_link *l)
{
	uint8_t key[HALF_KEY_LEN] = { 1 }, id[HALF_ID_LEN] = { 2 };
	Cmx__Half m = CMX__HALF__INIT;
	Cmx__HalfStart s = CMX__HALF_START__INIT;

	s.key = (ProtobufCBinaryData){ .data = key, .len = sizeof(key) };
	s.move_id = (ProtobufCBinaryData){ .data = id, .len = sizeof(id) };
	s.pid = 42;
	s.lease_ms = 1000;
	m.body_case = CMX__HALF__BODY_START;
	m.start = &s;
	assert_int_equal(half_link_send(l, &m, -1, NULL), 0);
}

static void say_home(struct half_link *l)
{
	Cmx__Half m = CMX__HALF__INIT;
	Cmx__HalfHome home = CMX__HALF_HOME__INIT;

	m.body_case = CMX__HALF__BODY_HOME;
	m.home = &home;
	assert_int_equal(half_link_send(l, &m, -1, NULL), 0);
}

static void say_drop(struct half_link *l)
{
	Cmx__Half m = CMX__HALF__INIT;
	Cmx__HalfDrop drop = CMX__HALF_DROP__INIT;

	drop.text = (char *)"enough";
	m.body_case = CMX__HALF__BODY_DROP;
	m.drop = &drop;
	assert_int_equal(half_link_send(l, &m, -1, NULL), 0);
}

/* what was said before it is read with Start, as by a half that was slow to begin */
static void begin(struct half *h, void (*before)(struct half_link *l))
{
	struct err e = { 0 };
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	assert_int_equal(half_link_init(&h->daemon, fds[0]), 0);
	if (fds[1] != HALF_FD_CONTROL) {
		assert_int_equal(dup3(fds[1], HALF_FD_CONTROL, O_CLOEXEC), HALF_FD_CONTROL);
		fd_close(&fds[1]);
	}
	say_start(&h->daemon);
	if (before)
		before(&h->daemon);
	assert_int_equal(control_start(&h->start, &e), 0);
	assert_int_equal(h->start->pid, 42);
	assert_int_equal(control_new(h->loop, h->start, &ops, h, &h->control, &e), 0);
}

static void end(struct half *h)
{
	control_free(h->control);
	message_free(&h->start);
	half_link_done(&h->daemon);
	loop_free(h->loop);
}

/* 3 to 5 are the descriptors of a half; the loop may not have them */
static void open_loop(struct half *h)
{
	struct err e;
	int held[3];

	*h = (struct half){ 0 };
	for (int i = 0; i < 3; i++)
		held[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	assert_int_equal(loop_new(&h->loop, &e), 0);
	for (int i = 0; i < 3; i++)
		fd_close(&held[i]);
}

static void home_after_start(void **state)
{
	struct half h;

	(void)state;
	open_loop(&h);
	begin(&h, NULL);
	say_home(&h.daemon);
	assert_int_equal(loop_run(h.loop), 0);
	assert_int_equal(h.homes, 1);
	end(&h);
}

/* it was never heard, so that a process which was called home at once stayed away */
static void home_together_with_start(void **state)
{
	struct half h;

	(void)state;
	open_loop(&h);
	begin(&h, say_home);
	assert_int_equal(loop_run(h.loop), 0);
	assert_int_equal(h.homes, 1);
	say_drop(&h.daemon);
	assert_int_equal(loop_run(h.loop), 0);
	assert_int_equal(h.homes, 1);
	assert_int_equal(h.drops, 1);
	end(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(home_after_start),
		cmocka_unit_test(home_together_with_start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
