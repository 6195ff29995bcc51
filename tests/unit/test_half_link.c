/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_half_link.c - messages and an fd between comosixd and a half, whole, cut, and made up */
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/half_link.h"
#include "os/fd.h"
#include "test.h"
#include "wire/message.h"

static void two_ends(struct half_link *a, struct half_link *b)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	assert_int_equal(half_link_init(a, fds[0]), 0);
	assert_int_equal(half_link_init(b, fds[1]), 0);
}

static void say_state(struct half_link *l, Cmx__HalfStage stage, const char *text)
{
	Cmx__Half m = CMX__HALF__INIT;
	Cmx__HalfState s = CMX__HALF_STATE__INIT;

	s.stage = stage;
	s.text = (char *)text;
	m.body_case = CMX__HALF__BODY_STATE;
	m.state = &s;
	assert_int_equal(half_link_send(l, &m, -1, NULL), 0);
}

static void messages_in_order(void **state)
{
	struct half_link a, b;
	struct err e = { 0 };

	two_ends(&a, &b);
	say_state(&a, CMX__HALF_STAGE__STAGE_COPY, "one");
	say_state(&a, CMX__HALF_STAGE__STAGE_CAPTURE, "two");
	assert_int_equal(half_link_fill(&b, &e), 1);
	for (int i = 0; i < 2; i++) {
		AUTO_MESSAGE Cmx__Half *m = NULL;

		assert_int_equal(half_link_take(&b, &m, &e), 1);
		assert_int_equal(m->body_case, CMX__HALF__BODY_STATE);
		assert_string_equal(m->state->text, i ? "two" : "one");
	}
	Cmx__Half *none = NULL;

	assert_int_equal(half_link_take(&b, &none, &e), 0);
	assert_int_equal(half_link_fill(&b, &e), 0);
	half_link_done(&a);
	assert_int_equal(half_link_fill(&b, &e), -EPIPE);
	half_link_done(&b);
}

static void an_fd_goes_along(void **state)
{
	Cmx__HalfTransport t = CMX__HALF_TRANSPORT__INIT;
	Cmx__Half m = CMX__HALF__INIT;
	uint8_t key[HALF_KEY_LEN] = { 7 };
	struct half_link a, b;
	int p[2], fd;
	char c = 0;

	two_ends(&a, &b);
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	t.key.data = key;
	t.key.len = sizeof(key);
	m.body_case = CMX__HALF__BODY_TRANSPORT;
	m.transport = &t;
	assert_int_equal(half_link_send(&a, &m, p[1], NULL), 0);
	/* a second one replaces the first that nobody asked for: none is leaked */
	assert_int_equal(half_link_send(&a, &m, p[1], NULL), 0);
	assert_int_equal(close(p[1]), 0);
	while (half_link_fill(&b, NULL) == 1)
		;

	AUTO_MESSAGE Cmx__Half *got = NULL;

	assert_int_equal(half_link_take(&b, &got, NULL), 1);
	assert_int_equal(got->transport->key.len, sizeof(key));
	fd = half_link_passed(&b);
	assert_true(fd >= 0);
	assert_int_equal(half_link_passed(&b), -1);
	assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	assert_int_equal(write(fd, "x", 1), 1);
	assert_int_equal(close(fd), 0);
	assert_int_equal(read(p[0], &c, 1), 1);
	assert_int_equal(read(p[0], &c, 1), 0); /* no other copy of the writing end is left */
	assert_int_equal(close(p[0]), 0);
	half_link_done(&a);
	half_link_done(&b);
}

static void garbage_is_told(void **state)
{
	struct half_link a, b;
	struct err e = { 0 };
	Cmx__Half *m = NULL;

	two_ends(&a, &b);
	assert_int_equal(write(a.fd, "\0\0\0\1\3\0\0\0x", 9), 9); /* an OPEN */
	assert_int_equal(half_link_fill(&b, &e), 1);
	assert_int_equal(half_link_take(&b, &m, &e), -EPROTO);
	assert_true(e.text[0]);
	half_link_done(&a);
	half_link_done(&b);
}

static void nobody_reads(void **state)
{
	struct half_link a, b;
	Cmx__HalfHome home = CMX__HALF_HOME__INIT;
	Cmx__Half m = CMX__HALF__INIT;
	int r;

	two_ends(&a, &b);
	m.body_case = CMX__HALF__BODY_HOME;
	m.home = &home;
	do
		r = half_link_send(&a, &m, -1, NULL);
	while (!r);
	assert_int_equal(r, -EAGAIN);
	half_link_done(&b);
	assert_int_equal(half_link_send(&a, &m, -1, NULL), -EPIPE); /* and no signal */
	half_link_done(&a);
}

static void ids(void **state)
{
	static const char *const bad[] = { "", "00", "0123456789abcdef0123456789abcdeg",
					   "0123456789ABCDEF0123456789ABCDEF",
					   "0123456789abcdef0123456789abcdef0" };
	uint8_t id[HALF_ID_LEN], back[HALF_ID_LEN];
	char text[HALF_ID_TEXT];

	for (size_t i = 0; i < sizeof(id); i++)
		id[i] = (uint8_t)(i * 17);
	half_id_text(id, text);
	assert_string_equal(text, "00112233445566778899aabbccddeeff");
	assert_int_equal(half_id_parse(text, back), 0);
	assert_memory_equal(id, back, sizeof(id));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(half_id_parse(bad[i], back), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_in_order),
		cmocka_unit_test(an_fd_goes_along),
		cmocka_unit_test(garbage_is_told),
		cmocka_unit_test(nobody_reads),
		cmocka_unit_test(ids),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
