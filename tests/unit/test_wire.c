/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_wire.c - frames and messages, whole, in pieces and broken */
#include <errno.h>

#include "test.h"
#include "wire/control.pb-c.h"
#include "wire/message.h"

static void frames_come_back(void **state)
{
	struct buf b, part;
	struct frame f;

	buf_init(&b, 1024);
	buf_init(&part, 1024);
	assert_int_equal(frame_put(&b, FRAME_STDOUT, "hello", 5), 0);
	assert_int_equal(frame_put(&b, FRAME_STDIN, NULL, 0), 0);
	/* a byte at a time: nothing is seen before the frame is whole */
	for (size_t i = 0; i < FRAME_HEADER + 5; i++) {
		assert_int_equal(frame_take(&part, &f, NULL), 0);
		assert_int_equal(buf_put(&part, buf_bytes(&b) + i, 1), 0);
	}
	assert_int_equal(frame_take(&part, &f, NULL), 1);
	assert_int_equal(f.type, FRAME_STDOUT);
	assert_memory_equal(f.payload, "hello", 5);
	buf_eat(&b, FRAME_HEADER + f.len);
	assert_int_equal(frame_take(&b, &f, NULL), 1);
	assert_int_equal(f.type, FRAME_STDIN);
	assert_int_equal(f.len, 0);
	buf_done(&b);
	buf_done(&part);
}

static void broken_frames_are_refused(void **state)
{
	static const uint8_t rows[][FRAME_HEADER] = {
		{ 0xff, 0xff, 0xff, 0xff, 1, 0, 0, 0 }, /* too long */
		{ 0, 0, 0, 1, 1, 0, 1, 0 },		/* reserved byte */
		{ 0, 0, 0, 1, 250, 0, 0, 0 },		/* no such type */
		{ 'G', 'E', 'T', ' ', '/', ' ', 'H', 'T' },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf b;
		struct frame f;
		struct err e = { 0 };

		buf_init(&b, 64);
		assert_int_equal(buf_put(&b, rows[i], FRAME_HEADER), 0);
		assert_int_equal(frame_take(&b, &f, &e), -EPROTO);
		assert_true(e.text[0]);
		buf_done(&b);
	}
}

static void messages_come_back(void **state)
{
	Cmx__Hello hello = CMX__HELLO__INIT;
	struct buf b;
	struct frame f;

	buf_init(&b, 1024);
	hello.version_min = 1;
	hello.version_max = 3;
	hello.want = CMX__WANT__WANT_PAIR;
	assert_int_equal(message_put(&b, FRAME_HELLO, &hello), 0);
	assert_int_equal(frame_take(&b, &f, NULL), 1);

	AUTO_MESSAGE Cmx__Hello *got = message_get(&cmx__hello__descriptor, f.payload, f.len, NULL);

	assert_non_null(got);
	assert_int_equal(got->version_max, 3);
	assert_int_equal(got->want, CMX__WANT__WANT_PAIR);

	struct err e = { 0 };

	assert_null(message_get(&cmx__open__descriptor, "\xff\xff\xff", 3, &e));
	assert_int_equal(e.code, -EPROTO);
	buf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_come_back),
		cmocka_unit_test(broken_frames_are_refused),
		cmocka_unit_test(messages_come_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
