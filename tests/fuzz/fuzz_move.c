/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_move.c - a hostile peer of a move, over a transport that breaks
 *
 * The input is a list of steps: a byte says what, the next ones how.
 *
 *	0 n bytes	n + 1 bytes arrive
 *	1 n		a frame with n bytes is sent
 *	2		the transport breaks
 *	3 n		the transport takes 16 * n bytes
 *	4		what was taken is acknowledged
 */
#include <errno.h>

#include "tests/fuzz/fuzz.h"
#include "wire/move.h"

#define STEPS 5

struct input {
	const uint8_t *p;
	size_t n;
};

static unsigned int next(struct input *in)
{
	if (!in->n)
		return 0;
	in->n--;
	return *in->p++;
}

static int receive(struct move_link *l, struct input *in)
{
	size_t n = next(in) + 1;
	uint64_t last = l->taken;
	struct err e = { 0 };
	struct move_frame f;
	int r;

	if (n > in->n)
		n = in->n;
	MUST(n <= move_space(l));
	MUST(buf_put(&l->in, in->p, n) == 0);
	in->p += n;
	in->n -= n;
	while ((r = move_take(l, &f, &e)) == 1) {
		MUST(!l->resuming && f.number == ++last && f.number == l->taken);
		MUST(f.len <= MOVE_PAYLOAD_MAX && move_name(f.type)[0] != '?');
		MUST(f.type != MOVE_ACK && f.type != MOVE_RESUME);
		MUST(f.payload + f.len <= buf_bytes(&l->in) + l->in.len);
	}
	MUST(r == 0 || (r == -EPROTO && e.code == r && e.text[0]));
	MUST(r < 0 || move_space(l) > MOVE_PAYLOAD_MAX);
	return r;
}

static int step(struct move_link *l, struct input *in)
{
	static const uint8_t bytes[256];
	size_t n;
	int r;

	switch (next(in) % STEPS) {
	case 0:
		return receive(l, in);
	case 1:
		r = move_send(l, MOVE_FAIL, bytes, next(in), NULL, 0);
		MUST(r == 0 || r == -ENOBUFS);
		return 0;
	case 2:
		MUST(move_resume(l) == 0);
		return 0;
	case 3:
		n = 16 * next(in);
		buf_eat(&l->out, n < l->out.len ? n : l->out.len);
		return 0;
	case 4:
		MUST(move_ack(l) == 0);
		return 0;
	}
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	struct move_link l;
	int r = 0;

	move_init(&l);
	while (in.n && r >= 0) {
		r = step(&l, &in);
		MUST(l.kept_first <= l.sent + 1 && l.acked <= l.taken);
		MUST(move_settled(&l) == (l.kept_first == l.sent + 1));
	}
	move_done(&l);
	return 0;
}
