/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_guest_frames.c - what a hostile home says to the agent of a guest, in each of its states
 *
 * The first byte is the state, the second one the state of its thread, which waits for the answer
 * to a getppid(2). The highest bit of the first: some of its memory is still at home. There is no process behind it: all that has to be traced fails, as it does for one
 * that was killed.
 */
#include <errno.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "forward/away/marshal.h"
#include "migrate/guest.h"
#include "tests/fuzz/frames.h"

#define LATE_AT 0x100000ULL

static const uint64_t no_args[6];

static void start(struct guest *g, int ends[2], unsigned int thread_state)
{
	static const uint8_t key[CHANNEL_KEY];
	struct guest_thread *t;
	int64_t result;
	struct err e;

	MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0);
	MUST(channel_new(g->loop, ends[0], false, key, &guest_channel_ops, g, &g->channel, &e) ==
	     0);
	t = guest_add_thread(g, NOBODY);
	MUST(t);
	t->nr = SYS_getppid;
	t->state = thread_state % (THREAD_FROZEN + 1);
	MUST(marshal_begin(t->marshal, SYS_getppid, no_args, 0, &t->request, &result) ==
	     MARSHAL_SEND);
	buf_reset(&t->request); /* it was sent */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct guest g = { .notify = -1 };
	struct frames in = { data, size };
	struct move_frame f;
	struct err e = { 0 };
	int ends[2], r = 0;

	if (size < 2)
		return 0;
	in.p += 2;
	in.n -= 2;
	pages_reader_init(&g.reader);
	build_init(&g.build);
	g.build.pid = NOBODY;
	image_init(&g.image);
	buf_init(&g.image_bytes, IMAGE_BYTES_MAX);
	MUST(loop_new(&g.loop, &e) == 0);
	start(&g, ends, data[1]);
	g.state = data[0] % 128 % (GUEST_LEFT + 1);
	g.dirty.uffd = g.lacks.pagemap = -1;
	if (data[0] & 128) { /* 64 pages of it are still at home, four of them elsewhere there */
		g.lacks.on = g.lacks.prepared = true;
		MUST(late_add(&g.lacks.table, LATE_AT, LATE_AT + 64 * MOVE_PAGE) == 0);
		MUST(late_move(&g.lacks.table, LATE_AT, LATE_AT + 4 * MOVE_PAGE, 2 * LATE_AT) == 0);
	}
	while (!r && !g.why.code && frames_next(&in, &f)) {
		if (f.type == MOVE_IMAGE && !f.len)
			continue; /* it would be built now: fuzz_image.c has what is before that */
		e = (struct err){ 0 };
		g.build.pid = f.type == MOVE_ANEW ? 0 : NOBODY; /* who has no end to wait for */
		r = guest_channel_ops.frame(&g, &f, &e);
		MUST(r <= 0 && (r == 0 || e.text[0]));
		MUST(g.image_bytes.len <= IMAGE_BYTES_MAX);
	}
	guest_forget_signals(&g);
	late_done(&g.lacks.table);
	pageset_done(&g.dirty.known);
	while (g.n)
		guest_remove_thread(g.threads[0]);
	pages_reader_done(&g.reader);
	g.build.pid = 0; /* as above */
	build_abort(&g.build);
	buf_done(&g.image_bytes);
	channel_free(g.channel);
	loop_free(g.loop);
	(void)close(ends[1]);
	return 0;
}
