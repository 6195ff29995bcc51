/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_channel.c - two ends of a stream in one loop: bursts, full sockets, ends and cuts */
#include <sys/socket.h>
#include <unistd.h>

#include "loop/loop.h"
#include "migrate/channel.h"
#include "test.h"

#define TURNS_MAX 200 /* each waits for an event */

static const uint8_t key[CHANNEL_KEY] = "of the test";

struct end {
	struct channel *channel;
	unsigned int frames, bytes;
	uint32_t last;
	bool room, broken, cut;
	bool waits; /* cut: for another transport */
};

static struct loop *loop;
static struct end ends[2];

static int on_frame(void *owner, const struct move_frame *f, struct err *e)
{
	struct end *s = owner;

	(void)e;
	s->frames++;
	s->bytes += f->len;
	if (f->len >= sizeof(s->last))
		memcpy(&s->last, f->payload, sizeof(s->last));
	return 0;
}

static void on_room(void *owner)
{
	((struct end *)owner)->room = true;
}

static bool on_cut(void *owner, const struct err *why)
{
	struct end *s = owner;

	(void)why;
	s->cut = true;
	return s->waits;
}

static void on_broken(void *owner, const struct err *why)
{
	(void)why;
	((struct end *)owner)->broken = true;
}

static const struct channel_ops ops = {
	.frame = on_frame,
	.room = on_room,
	.cut = on_cut,
	.broken = on_broken,
};

static void make_pair(int pair[2])
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
}

static void turn(void)
{
	assert_int_equal(loop_turn(loop), 0);
}

/* both have said something */
static void greet(void)
{
	const uint32_t hello = 0;

	for (int i = 0; i < 2; i++)
		assert_int_equal(channel_send(ends[i].channel, MOVE_GONE, &hello, 4, NULL, 0), 0);
	for (int i = 0; i < TURNS_MAX && !(ends[0].frames && ends[1].frames); i++)
		turn();
	assert_int_equal(ends[0].frames, 1);
	assert_int_equal(ends[1].frames, 1);
}

static int set_up(void **state)
{
	int pair[2];

	make_pair(pair);
	memset(ends, 0, sizeof(ends));
	assert_int_equal(loop_new(&loop, NULL), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(channel_new(loop, pair[i], i == 0, key, &ops, &ends[i],
					     &ends[i].channel, NULL),
				 0);
	greet();
	return 0;
}

static int tear_down(void **state)
{
	channel_free(ends[0].channel);
	channel_free(ends[1].channel);
	loop_free(loop);
	return 0;
}

/* a record each, and all of them read at once: none may wait for another event */
static void a_burst_is_taken_whole(void **state)
{
	const unsigned int n = 200;

	for (uint32_t i = 1; i <= n; i++)
		assert_int_equal(channel_send(ends[0].channel, MOVE_GONE, &i, 4, NULL, 0), 0);
	turn(); /* one event tells of them */
	assert_int_equal(ends[1].frames, 1 + n);
	assert_int_equal(ends[1].last, n);
}

static void held_frames_go_together(void **state)
{
	uint8_t *to;

	channel_hold(ends[0].channel);
	for (uint32_t i = 1; i <= 10; i++) {
		assert_int_equal(channel_reserve(ends[0].channel, 4, &to), 0);
		memcpy(to, &i, 4);
		assert_int_equal(channel_commit(ends[0].channel, MOVE_GONE, 4), 0);
	}
	assert_true(channel_queued(ends[0].channel) > 10 * 4);
	channel_let_go(ends[0].channel);
	assert_int_equal(channel_queued(ends[0].channel), 0);
	for (int i = 0; i < TURNS_MAX && ends[1].frames < 11; i++)
		turn();
	assert_int_equal(ends[1].last, 10);
}

/* more than the socket takes: it leaves as the other end reads, and room() tells */
static void a_full_socket_is_waited_for(void **state)
{
	static const uint8_t bytes[100000];
	unsigned int sent = 4;

	while (channel_queued(ends[0].channel) < 1000000) {
		assert_int_equal(channel_send(ends[0].channel, MOVE_CALL, bytes, 8, bytes,
					      sizeof(bytes) - 8),
				 0);
		sent += sizeof(bytes);
	}
	for (int i = 0; i < TURNS_MAX && ends[1].bytes < sent; i++)
		turn();
	assert_int_equal(ends[1].bytes, sent);
	assert_int_equal(channel_queued(ends[0].channel), 0);
	assert_true(ends[0].room);
}

static void a_meant_end_is_told(void **state)
{
	const uint32_t last = 7;

	assert_int_equal(channel_send(ends[0].channel, MOVE_GONE, &last, 4, NULL, 0), 0);
	channel_free(ends[0].channel);
	ends[0].channel = NULL;
	for (int i = 0; i < TURNS_MAX && !ends[1].broken; i++)
		turn();
	assert_true(ends[1].broken);
	assert_false(ends[1].cut);
	assert_int_equal(ends[1].last, last);
}

static void a_cut_stream_is_replaced(void **state)
{
	static const uint8_t other[CHANNEL_KEY] = "of another transport";
	const uint32_t late = 9;
	int pair[2], nothing[2];

	ends[0].waits = ends[1].waits = true;
	make_pair(nothing);
	/* one end goes elsewhere, without a word to the other one */
	assert_int_equal(channel_replace(ends[0].channel, nothing[0], other, NULL), 0);
	for (int i = 0; i < TURNS_MAX && !ends[1].cut; i++)
		turn();
	assert_true(ends[1].cut);
	assert_int_equal(channel_send(ends[0].channel, MOVE_GONE, &late, 4, NULL, 0), 0);
	make_pair(pair);
	for (int i = 0; i < 2; i++)
		assert_int_equal(channel_replace(ends[i].channel, pair[i], other, NULL), 0);
	(void)close(nothing[1]);
	for (int i = 0; i < TURNS_MAX && ends[1].last != late; i++)
		turn();
	assert_int_equal(ends[1].last, late);
	assert_int_equal(ends[1].frames, 2); /* what was taken already does not come again */
	assert_false(ends[1].broken);
}

/* also when the peer has said nothing of what it took */
static void room_is_told_after_a_break(void **state)
{
	for (int i = 0; i < 3; i++) {
		int pair[2];

		make_pair(pair);
		ends[0].room = false;
		for (int k = 0; k < 2; k++)
			assert_int_equal(channel_replace(ends[k].channel, pair[k], key, NULL), 0);
		/* a handshake takes a few; the ACK of 64 beats would come as well, but late */
		for (int k = 0; k < 30 && !ends[0].room; k++)
			turn();
		assert_true(ends[0].room);
	}
	assert_int_equal(channel_backlog(ends[0].channel), 0);
}

static void what_is_said_is_waited_for(void **state)
{
	const uint32_t word = 3;

	channel_await(ends[1].channel); /* nothing: it comes back */
	assert_int_equal(ends[1].frames, 1);
	assert_int_equal(channel_send(ends[0].channel, MOVE_GONE, &word, 4, NULL, 0), 0);
	channel_await(ends[1].channel);
	assert_int_equal(ends[1].last, word); /* and no turn of the loop */
	for (uint32_t i = 11; i <= 20; i++)
		assert_int_equal(channel_send(ends[0].channel, MOVE_GONE, &i, 4, NULL, 0), 0);
	channel_await(ends[1].channel);
	assert_int_equal(ends[1].last, 20);
}

/* one that ends, or is cut, while it is waited for: told from the loop, as always */
static void an_end_is_not_waited_for(void **state)
{
	static const uint8_t other[CHANNEL_KEY] = "of another transport";
	int nothing[2];

	ends[1].waits = true;
	make_pair(nothing);
	assert_int_equal(channel_replace(ends[0].channel, nothing[0], other, NULL), 0);
	channel_await(ends[1].channel);
	assert_false(ends[1].cut);
	for (int i = 0; i < TURNS_MAX && !ends[1].cut; i++)
		turn();
	assert_true(ends[1].cut);
	channel_await(ends[1].channel); /* it has no transport */
	(void)close(nothing[1]);
	assert_int_equal(ends[1].frames, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_burst_is_taken_whole, set_up, tear_down),
		cmocka_unit_test_setup_teardown(held_frames_go_together, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_full_socket_is_waited_for, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_meant_end_is_told, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_cut_stream_is_replaced, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_said_is_waited_for, set_up, tear_down),
		cmocka_unit_test_setup_teardown(an_end_is_not_waited_for, set_up, tear_down),
		cmocka_unit_test_setup_teardown(room_is_told_after_a_break, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
