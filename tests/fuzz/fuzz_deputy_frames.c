/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_deputy_frames.c - what a hostile host says to a deputy, in each of its states
 *
 * The first byte is the state, and 64 a process of which images are kept. There is no process behind the stub, only a socket that takes
 * requests and, at the second byte, gives an answer: all that has to be traced fails, as it does
 * for a process that was killed. tests/system/move_liar.py has one.
 */
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "migrate/deputy_checkpoint.h"
#include "migrate/lease.h"
#include "migrate/stub_thread.h"
#include "tests/fuzz/frames.h"

struct seen {
	int over;
};

static void on_state(void *owner, enum deputy_state s, uint64_t freeze_us)
{
	(void)owner;
	(void)s;
	(void)freeze_us;
}

static void on_over(void *owner, int status, const char *why)
{
	struct seen *seen = owner;

	MUST(status >= 0 && status <= 6 && why[0]);
	seen->over++;
}

static const struct deputy_ops ops = { on_state, on_over };

static void start(struct deputy *d, struct loop *l, struct seen *seen, int ends[2], int pair[2])
{
	static const uint8_t key[CHANNEL_KEY];
	struct stub_thread *t;
	struct err e;

	MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0);
	MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0);
	MUST(deputy_start(d, l, ends[0], key, NOBODY, LEASE_MS, &ops, seen, &e) == 0);
	deputy_again_allow(d);
	t = stub_thread_new(&d->stub, NOBODY);
	MUST(t);
	t->sock = pair[0];
	t->stopped = true;
}

static bool has_answer(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct frames in = { data, size };
	struct move_frame f;
	struct deputy d;
	struct loop *l;
	struct seen seen = { 0 };
	struct err e = { 0 };
	int ends[2], pair[2], r = 0;

	if (size < 2)
		return 0;
	MUST(loop_new(&l, &e) == 0);
	start(&d, l, &seen, ends, pair);
	d.state = data[0] % 64 % DEPUTY_OVER;
	if (data[0] & 64) {
		const struct checkpoint_spec spec = { 1000, 1 << 20, "/tmp" };

		MUST(deputy_checkpoint(&d, &spec, &e) == 0);
		d.checkpoint->asked = d.state == DEPUTY_AWAY;
	}
	if (data[0] & 128) { /* its memory follows */
		struct image_mapping *v = image_add_mapping(&d.stub.before);

		MUST(v);
		*v = (struct image_mapping){ .start = 0x100000, .end = 0x140000, .prot = 3 };
		d.late = d.state < DEPUTY_AWAY ? DEPUTY_LATE_ASKED : DEPUTY_LATE_YES;
	}
	/* from the moment on that it was seized */
	d.stub.pid = d.state >= DEPUTY_SENDING ? NOBODY : 0;
	if (data[1])
		MUST(write(pair[1], data + 2, size - 2) >= 0 || size == 2);
	in.p += 2;
	in.n -= 2;
	while (!r && frames_next(&in, &f)) {
		e = (struct err){ 0 };
		r = deputy_take_frame(&d, &f, &e);
		MUST(r <= 0 && (r == 0 || e.text[0]));
		MUST(d.n_pending <= PENDING_MAX && d.image_bytes.len <= IMAGE_BYTES_MAX);
		if (d.state == DEPUTY_AWAY && d.stub.n && d.stub.threads[0]->ref.gen &&
		    has_answer(pair[0]))
			MUST(loop_turn(l) == 0);
	}
	MUST(seen.over <= 1);
	deputy_done(&d);
	loop_free(l);
	(void)close(ends[1]);
	(void)close(pair[1]);
	return 0;
}
