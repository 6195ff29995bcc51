/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guest_checkpoint.c - an image of the process goes home, and it goes on here
 *
 * Theory of operation. Until all is sent this is the way home (guest_leave.c): pages in rounds while
 * it runs, then every thread is brought to a stop outside of any call, then image, pending signals,
 * the pages of the end. So what home has then is just what it would have gone on with. But instead
 * of DONE it says KEPT, and the threads go on with the registers of the image: a call that was cut
 * short for it is made again, or a signal ends it (set_state.h).
 *
 * From then on that image is what home has: the next rounds, and the next comparison of mappings,
 * begin with it. Signals that come while the process is read wait here until it goes on; KEPT says
 * how many were taken before it was read, so home knows which ones belong to what came after.
 *
 * A process that is stopped by job control is not read: it says so, and home asks again later.
 */
#include <errno.h>

#include "log/log.h"
#include "migrate/guest.h"
#include "migrate/told.h"

#define LATE_MAX (4U << 20) /* bytes of signals */

struct kept {
	uint64_t signals_taken;
	uint32_t status; /* 0: here it is; 1: not now */
	uint32_t zero;
};

int guest_late_signal(struct guest *g, const struct move_frame *f)
{
	if (!g->late.max)
		buf_init(&g->late, LATE_MAX);
	return buf_put(&g->late, f->payload, f->len);
}

/* they come as if they had been sent now */
static void send_late_signals(struct guest *g)
{
	const size_t each = 8 + sizeof(siginfo_t);
	struct err e = { 0 };

	while (g->late.len >= each) {
		const struct move_frame f = { .type = MOVE_SIGNAL,
					      .payload = buf_bytes(&g->late),
					      .len = (uint32_t)each };

		if (guest_take_signal(g, &f, &e) < 0)
			guest_fail(g, e.code, e.text);
		buf_eat(&g->late, each);
	}
}

static void go_on(struct guest *g)
{
	g->checkpoint = false;
	g->state = GUEST_RUNNING;
	guest_in_calls(g);
	for (size_t i = 0; i < g->n; i++) {
		struct guest_thread *t = g->threads[i];

		if (t->state != THREAD_FROZEN)
			continue;
		t->state = THREAD_RUNNING;
		t->again = t->begun;
		told_later(tracee_cont(t->tid, 0));
	}
	guest_timers_start(g); /* the image has them */
	send_late_signals(g);
	guest_on_child(g, SIGCHLD); /* nobody looked while it stood still */
}

void guest_kept(struct guest *g)
{
	const struct kept k = { .signals_taken = g->signals_taken };

	/* what our end needs to know, and an image of the way home does not say */
	g->image.parasite = g->arrived.parasite;
	g->image.parasite_size = g->arrived.parasite_size;
	g->image.first_fd = g->arrived.first_fd;
	g->image.last_fd = g->arrived.last_fd;
	image_done(&g->arrived);
	guest_send(g, MOVE_KEPT, &k, sizeof(k), NULL, 0);
	go_on(g);
}

void guest_not_kept(struct guest *g, const char *why)
{
	const struct kept k = { .signals_taken = g->signals_taken, .status = 1 };

	log_info("no image of it now: %s", why);
	g->checkpoint = false;
	guest_send(g, MOVE_KEPT, &k, sizeof(k), NULL, 0);
}

int guest_take_checkpoint(struct guest *g, const struct move_frame *f, struct err *e)
{
	uint32_t whole;
	int r;

	memcpy(&whole, f->payload, sizeof(whole)); /* wire/move.h: it is that long */
	if (g->copying || g->checkpoint)
		return err_set(e, -EPROTO, "a CHECKPOINT while it is being copied");
	if (g->lacks.on) {
		guest_not_kept(g, "it came by post-copy");
		return 0;
	}
	if (g->stopped) {
		guest_not_kept(g, "it is stopped by job control");
		return 0;
	}
	g->checkpoint = true;
	r = guest_copy_home(g, whole != 0, e);
	return r;
}
