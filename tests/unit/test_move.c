/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_move.c - frames of a move: once and in order over a transport that breaks; hostile peers
 *
 * The transport of the simulation loses everything in flight behind a random byte whenever it
 * breaks, in both directions, also in the middle of a RESUME.
 */
#include <errno.h>

#include "base/le.h"
#include "base/rng.h"
#include "test.h"
#include "wire/move.h"

static void put_in(struct move_link *l, const void *p, size_t n)
{
	assert_int_equal(buf_put(&l->in, p, n), 0);
}

/* all that one end has to say goes to the other */
static void pass(struct move_link *from, struct move_link *to)
{
	put_in(to, buf_bytes(&from->out), from->out.len);
	buf_eat(&from->out, from->out.len);
}

static void take(struct move_link *l, enum move_type type, const void *payload, uint32_t len)
{
	struct move_frame f;
	struct err e = { 0 };
	int r = move_take(l, &f, &e);

	if (r < 0)
		fail_msg("%s", e.text);
	assert_int_equal(r, 1);
	assert_int_equal(f.type, type);
	assert_int_equal(f.len, len);
	assert_int_equal(f.number, l->taken);
	if (len)
		assert_memory_equal(f.payload, payload, len);
}

static void take_nothing(struct move_link *l)
{
	struct move_frame f;

	assert_int_equal(move_take(l, &f, NULL), 0);
}

static void frames_come_back(void **state)
{
	struct move_link a, b;

	move_init(&a);
	move_init(&b);
	take_nothing(&b);
	assert_int_equal(move_send(&a, MOVE_CALL, "\5\0\0\0\0\0\0\0", 8, "request", 7), 0);
	assert_int_equal(move_send(&a, MOVE_RUN, NULL, 0, NULL, 0), 0);
	assert_int_equal(a.out.len, 2 * MOVE_HEADER + 15);
	/* a byte at a time: nothing is seen before the frame is whole */
	for (size_t i = 0; i < MOVE_HEADER + 15; i++) {
		take_nothing(&b);
		put_in(&b, buf_bytes(&a.out), 1);
		buf_eat(&a.out, 1);
	}
	take(&b, MOVE_CALL, "\5\0\0\0\0\0\0\0request", 15);
	pass(&a, &b);
	take(&b, MOVE_RUN, NULL, 0);
	take_nothing(&b);
	assert_false(move_settled(&a));
	assert_int_equal(move_ack(&b), 0);
	pass(&b, &a);
	take_nothing(&a);
	assert_true(move_settled(&a));
	assert_int_equal(move_ack(&b), 0);
	assert_int_equal(b.out.len, 0);
	move_done(&a);
	move_done(&b);
}

static void names_and_lengths_are_of_the_table(void **state)
{
	static const uint8_t zeroes[MOVE_PAYLOAD_MAX + 1];
	struct move_link l;

	move_init(&l);
	assert_string_equal(move_name(MOVE_IMAGE), "IMAGE");
	assert_string_equal(move_name(MOVE_FAIL), "FAIL");
	assert_string_equal(move_name(0), "?");
	assert_string_equal(move_name(99), "?");
	assert_int_equal(move_send(&l, MOVE_RUN, zeroes, 1, NULL, 0), -EMSGSIZE);
	assert_int_equal(move_send(&l, MOVE_SIGNAL, zeroes, 8, zeroes, 127), -EMSGSIZE);
	assert_int_equal(move_send(&l, MOVE_SIGNAL, zeroes, 8, zeroes, 128), 0);
	assert_int_equal(move_send(&l, MOVE_PAGES, zeroes, 16, zeroes, MOVE_PAYLOAD_MAX - 15),
			 -EMSGSIZE);
	assert_int_equal(move_send(&l, MOVE_PAGES, zeroes, SIZE_MAX, zeroes, 17), -EMSGSIZE);
	assert_false(move_room(&l, SIZE_MAX));
	move_done(&l);
}

static void what_is_not_acknowledged_is_limited(void **state)
{
	static const uint8_t page[MOVE_PAYLOAD_MAX];
	struct move_link a, b;
	unsigned int frames = 0;

	move_init(&a);
	move_init(&b);
	while (move_room(&a, sizeof(page))) {
		assert_int_equal(move_send(&a, MOVE_IMAGE, page, sizeof(page), NULL, 0), 0);
		frames++;
	}
	assert_int_equal(frames, MOVE_KEPT_MAX / (MOVE_HEADER + sizeof(page)));
	assert_int_equal(move_send(&a, MOVE_IMAGE, page, sizeof(page), NULL, 0), -ENOBUFS);
	for (unsigned int i = 0; i < frames; i++) {
		put_in(&b, buf_bytes(&a.out), MOVE_HEADER + sizeof(page));
		buf_eat(&a.out, MOVE_HEADER + sizeof(page));
		take(&b, MOVE_IMAGE, page, sizeof(page));
	}
	assert_true(b.out.len > 0); /* ACKs by their size, with nobody asking for one */
	pass(&b, &a);
	take_nothing(&a);
	assert_true(move_room(&a, sizeof(page)));
	move_done(&a);
	move_done(&b);
}

static void small_frames_are_acknowledged_by_number(void **state)
{
	struct move_link a, b;

	move_init(&a);
	move_init(&b);
	for (unsigned int i = 0; i < MOVE_ACK_FRAMES; i++) {
		assert_int_equal(b.out.len, 0);
		assert_int_equal(move_send(&a, MOVE_BEAT, NULL, 0, NULL, 0), 0);
		pass(&a, &b);
		take(&b, MOVE_BEAT, NULL, 0);
	}
	pass(&b, &a);
	take_nothing(&a);
	assert_true(move_settled(&a));
	move_done(&a);
	move_done(&b);
}

/* ---- a transport that breaks ---- */

#define SIM_FRAMES 400

struct end {
	struct move_link link;
	struct buf flight; /* on its way to the other end */
	uint64_t made, got;
};

/* frame i of an end is known to both: its type and bytes follow from its number */
static size_t content(uint64_t number, uint8_t *to)
{
	struct rng r;
	size_t n;

	rng_init(&r, number);
	n = rng_below(&r, 8) ? rng_below(&r, 64) : rng_below(&r, 60000);
	for (size_t i = 0; i < n; i++)
		to[i] = (uint8_t)rng_u64(&r);
	return n;
}

static void sim_send(struct end *x)
{
	static uint8_t bytes[60000];
	size_t n = content(x->made + 1, bytes), cut = n / 3;
	int r;

	if (x->made == SIM_FRAMES)
		return;
	r = move_send(&x->link, MOVE_IMAGE, bytes, cut, bytes + cut, n - cut);
	assert_int_equal(r, move_room(&x->link, n) || !r ? 0 : -ENOBUFS);
	x->made += !r;
}

static void sim_take(struct end *x, bool all)
{
	static uint8_t bytes[60000];
	struct move_frame f;
	struct err e = { 0 };
	int r;

	while ((r = move_take(&x->link, &f, &e)) == 1) {
		size_t n = content(f.number, bytes);

		assert_int_equal(f.number, x->got + 1);
		assert_int_equal(f.len, n);
		assert_memory_equal(f.payload, bytes, n);
		x->got++;
		if (!all)
			return;
	}
	if (r < 0)
		fail_msg("%s", e.text);
}

/* some bytes of `from` arrive at `to` */
static void sim_carry(struct end *from, struct end *to, size_t most)
{
	size_t n = from->flight.len;

	if (n > most)
		n = most;
	if (n > move_space(&to->link))
		n = move_space(&to->link);
	put_in(&to->link, buf_bytes(&from->flight), n);
	buf_eat(&from->flight, n);
}

static void sim_write(struct end *x, size_t most)
{
	size_t n = x->link.out.len < most ? x->link.out.len : most;

	assert_int_equal(buf_put(&x->flight, buf_bytes(&x->link.out), n), 0);
	buf_eat(&x->link.out, n);
}

static void sim_break(struct end *a, struct end *b, struct rng *r)
{
	sim_carry(a, b, rng_below(r, 100000));
	sim_carry(b, a, rng_below(r, 100000));
	sim_take(a, true);
	if (rng_below(r, 2))
		sim_take(b, false);
	buf_reset(&a->flight);
	buf_reset(&b->flight);
	assert_int_equal(move_resume(&a->link), 0);
	if (rng_below(r, 2))
		sim_send(a); /* before the other has noticed */
	assert_int_equal(move_resume(&b->link), 0);
}

static void sim_step(struct end *x, struct end *y, struct rng *r, bool breaking)
{
	switch (rng_below(r, breaking ? 9 : 8)) {
	case 0:
	case 1:
		sim_send(x);
		break;
	case 2:
		sim_write(x, rng_below(r, 200000));
		break;
	case 3:
		sim_write(x, rng_below(r, 40));
		break;
	case 4:
		sim_carry(x, y, rng_below(r, 200000));
		break;
	case 5:
		sim_carry(x, y, rng_below(r, 40));
		break;
	case 6:
		sim_take(x, true);
		break;
	case 7:
		sim_take(x, false);
		break;
	case 8:
		if (!rng_below(r, 20))
			sim_break(x, y, r);
		break;
	}
	assert_true(x->link.kept.len <= MOVE_KEPT_MAX);
	assert_true(x->link.out.len <= MOVE_OUT_MAX);
	assert_true(x->link.in.len <= MOVE_IN_MAX);
}

static void end_init(struct end *x)
{
	move_init(&x->link);
	buf_init(&x->flight, 64U << 20);
	x->made = x->got = 0;
}

static void each_frame_once_over_a_transport_that_breaks(void **state)
{
	for (uint64_t seed = 1; seed <= 40; seed++) {
		struct end ends[2];
		struct rng r;

		rng_init(&r, seed);
		end_init(&ends[0]);
		end_init(&ends[1]);
		while (ends[0].got < SIM_FRAMES || ends[1].got < SIM_FRAMES) {
			uint32_t i = rng_below(&r, 2);

			sim_step(&ends[i], &ends[!i], &r, true);
		}
		assert_int_equal(ends[0].made, SIM_FRAMES);
		/* and nothing is left in the end */
		while (!move_settled(&ends[0].link) || !move_settled(&ends[1].link)) {
			uint32_t i = rng_below(&r, 2);

			assert_int_equal(move_ack(&ends[i].link), 0);
			sim_step(&ends[i], &ends[!i], &r, false);
		}
		for (int i = 0; i < 2; i++) {
			move_done(&ends[i].link);
			buf_done(&ends[i].flight);
		}
	}
}

static void a_second_break_while_resuming(void **state)
{
	struct move_link a, b;

	move_init(&a);
	move_init(&b);
	assert_int_equal(move_send(&a, MOVE_RUN, NULL, 0, NULL, 0), 0);
	assert_int_equal(move_resume(&a), 0);
	assert_int_equal(move_resume(&b), 0);
	pass(&b, &a);
	take_nothing(&a);
	assert_false(a.resuming);
	/* a knows what b took, b does not know what a took; all is lost once more */
	assert_int_equal(move_resume(&a), 0);
	assert_int_equal(move_resume(&b), 0);
	assert_int_equal(move_send(&a, MOVE_STOP, "\23\0\0\0", 4, NULL, 0), 0);
	pass(&a, &b);
	take_nothing(&b);
	pass(&b, &a);
	take_nothing(&a);
	pass(&a, &b);
	take(&b, MOVE_RUN, NULL, 0);
	take(&b, MOVE_STOP, "\23\0\0\0", 4);
	take_nothing(&b);
	move_done(&a);
	move_done(&b);
}

/* ---- a hostile peer ---- */

/* our link has sent frames 1 to 3, the first one is acknowledged, and has taken 1 */
static void make_link(struct move_link *l)
{
	struct move_link peer;

	move_init(l);
	move_init(&peer);
	for (int i = 0; i < 3; i++)
		assert_int_equal(move_send(l, MOVE_BEAT, NULL, 0, NULL, 0), 0);
	put_in(&peer, buf_bytes(&l->out), MOVE_HEADER);
	take(&peer, MOVE_BEAT, NULL, 0);
	assert_int_equal(move_send(&peer, MOVE_BEAT, NULL, 0, NULL, 0), 0);
	assert_int_equal(move_ack(&peer), 0);
	pass(&peer, l);
	take(l, MOVE_BEAT, NULL, 0);
	take_nothing(l);
	move_done(&peer);
}

static const struct {
	uint32_t len;
	uint8_t type, zero;
	uint64_t number, payload;
	bool resuming;
	const char *part; /* of the reason */
} hostile[] = {
	{ 0, MOVE_BEAT, 0, 3, 0, false, "number 3 instead of 2" },
	{ 0, MOVE_BEAT, 0, 1, 0, false, "number 1 instead of 2" },
	{ 0, MOVE_BEAT, 0, 0, 0, false, "number 0" },
	{ 0, MOVE_BEAT, 0, UINT64_MAX, 0, false, "number 184" },
	{ 0, MOVE_BEAT, 1, 2, 0, false, "reserved" },
	{ 0, 0, 0, 2, 0, false, "unknown type 0" },
	{ 0, 99, 0, 2, 0, false, "unknown type 99" },
	{ 0, 255, 0, 2, 0, false, "unknown type 255" },
	{ MOVE_PAYLOAD_MAX + 1, MOVE_PAGES, 0, 2, 0, false, "262145 bytes" },
	{ UINT32_MAX, MOVE_PAGES, 0, 2, 0, false, "4294967295 bytes" },
	{ 15, MOVE_PAGES, 0, 2, 0, false, "15 bytes" },
	{ 1, MOVE_BEAT, 0, 2, 0, false, "1 bytes" },
	{ 8, MOVE_ACK, 0, 2, 2, false, "number 2 instead of 0" },
	{ 8, MOVE_ACK, 0, 0, 4, false, "ACK of frame 4" },
	{ 8, MOVE_ACK, 0, 0, 1, false, "ACK of frame 1" },
	{ 8, MOVE_ACK, 0, 0, UINT64_MAX, false, "ACK of frame 184" },
	{ 8, MOVE_RESUME, 0, 0, 2, false, "not broken" },
	{ 8, MOVE_RESUME, 0, 0, 0, true, "after frame 0" },
	{ 8, MOVE_RESUME, 0, 0, 4, true, "after frame 4" },
	{ 8, MOVE_RESUME, 0, 0, UINT64_MAX, true, "after frame 184" },
	{ 8, MOVE_ACK, 0, 0, 2, true, "RESUME has to come first" },
	{ 0, MOVE_BEAT, 0, 2, 0, true, "RESUME has to come first" },
};

static void hostile_peers_are_refused(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(hostile); i++) {
		uint8_t bytes[MOVE_HEADER + 8] = { 0 };
		struct err e = { 0 };
		struct move_link l;
		struct move_frame f;

		make_link(&l);
		if (hostile[i].resuming)
			assert_int_equal(move_resume(&l), 0);
		le32_put(bytes, hostile[i].len);
		bytes[4] = hostile[i].type;
		bytes[6] = hostile[i].zero;
		le64_put(bytes + 8, hostile[i].number);
		le64_put(bytes + MOVE_HEADER, hostile[i].payload);
		put_in(&l, bytes, hostile[i].len == 8 ? sizeof(bytes) : MOVE_HEADER);
		assert_int_equal(move_take(&l, &f, &e), -EPROTO);
		if (!strstr(e.text, hostile[i].part))
			fail_msg("'%s' does not say '%s'", e.text, hostile[i].part);
		move_done(&l);
	}
}

/* our ACKs pile up with one that never reads: an error, before the memory is used up */
static void a_peer_that_never_reads_is_refused(void **state)
{
	struct move_link a, b;
	struct move_frame f;
	struct err e = { 0 };
	int r = 1;

	move_init(&a);
	move_init(&b);
	while (move_room(&b, 0))
		assert_int_equal(move_send(&b, MOVE_BEAT, NULL, 0, NULL, 0), 0);
	while (r == 1) {
		if (!move_room(&a, 0)) { /* it pretends to have had ACKs */
			buf_reset(&a.kept);
			a.kept_first = a.sent + 1;
		}
		assert_int_equal(move_send(&a, MOVE_BEAT, NULL, 0, NULL, 0), 0);
		pass(&a, &b);
		r = move_take(&b, &f, &e);
		assert_true(b.out.len <= MOVE_OUT_MAX);
	}
	assert_int_equal(r, -EPROTO);
	assert_non_null(strstr(e.text, "reads no answer"));
	move_done(&a);
	move_done(&b);
}

static void a_frame_is_written_in_place(void **state)
{
	struct move_link a, b;
	uint8_t *to;

	move_init(&a);
	move_init(&b);
	assert_int_equal(move_reserve(&a, 100, &to), 0); /* and nothing comes of it */
	assert_int_equal(move_reserve(&a, 100, &to), 0);
	memcpy(to, "\5\0\0\0\0\0\0\0request", 15);
	assert_int_equal(move_commit(&a, MOVE_CALL, 15), 0);
	assert_int_equal(a.kept.len, MOVE_HEADER + 15);
	assert_int_equal(move_commit(&a, MOVE_CALL, 7), -EMSGSIZE);
	assert_int_equal(move_reserve(&a, MOVE_PAYLOAD_MAX + 1, &to), -ENOBUFS);
	pass(&a, &b);
	take(&b, MOVE_CALL, "\5\0\0\0\0\0\0\0request", 15);
	take_nothing(&b);
	move_done(&a);
	move_done(&b);
}

static void what_is_not_kept_is_gone(void **state)
{
	struct move_link a, b;
	struct move_frame f;
	uint8_t *to;

	move_init(&a);
	move_init(&b);
	move_keep(&a, false);
	for (int i = 0; i < MOVE_ACK_FRAMES; i++)
		assert_int_equal(move_send(&a, MOVE_ROUND, NULL, 0, NULL, 0), 0);
	assert_int_equal(a.kept.len, 0);
	move_keep(&a, true);
	assert_int_equal(move_send(&a, MOVE_RUN, NULL, 0, NULL, 0), 0);
	assert_int_equal(a.kept.len, MOVE_HEADER);
	pass(&a, &b);
	for (int i = 0; i < MOVE_ACK_FRAMES; i++)
		take(&b, MOVE_ROUND, NULL, 0);
	pass(&b, &a); /* an ACK of frames that nobody has kept */
	take_nothing(&a);
	assert_int_equal(a.kept.len, MOVE_HEADER);

	/* the transport breaks: RUN was kept */
	assert_int_equal(move_resume(&a), 0);
	assert_int_equal(move_resume(&b), 0);
	pass(&a, &b);
	pass(&b, &a);
	take_nothing(&a);
	take_nothing(&b);
	pass(&a, &b);
	take(&b, MOVE_RUN, NULL, 0);
	move_done(&a);
	move_done(&b);

	/* what was not kept cannot be sent again */
	move_init(&a);
	move_init(&b);
	move_keep(&a, false);
	assert_int_equal(move_send(&a, MOVE_ROUND, NULL, 0, NULL, 0), 0);
	assert_int_equal(move_resume(&a), 0);
	assert_int_equal(move_resume(&b), 0);
	assert_int_equal(move_reserve(&a, 0, &to), -ENOBUFS);
	pass(&b, &a);
	assert_int_equal(move_take(&a, &f, NULL), -EPROTO);
	move_done(&a);
	move_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_come_back),
		cmocka_unit_test(names_and_lengths_are_of_the_table),
		cmocka_unit_test(what_is_not_acknowledged_is_limited),
		cmocka_unit_test(small_frames_are_acknowledged_by_number),
		cmocka_unit_test(each_frame_once_over_a_transport_that_breaks),
		cmocka_unit_test(a_second_break_while_resuming),
		cmocka_unit_test(hostile_peers_are_refused),
		cmocka_unit_test(a_peer_that_never_reads_is_refused),
		cmocka_unit_test(a_frame_is_written_in_place),
		cmocka_unit_test(what_is_not_kept_is_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
