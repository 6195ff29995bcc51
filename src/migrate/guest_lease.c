/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guest_lease.c - a guest that does not hear of its home stops, and ends
 *
 * Theory of operation. Times are those of lease.h. While the process runs, silence of a third of
 * the lease holds it: each thread that runs is interrupted, and stays in the stop it comes to; one
 * whose call is at home waits for the answer anyhow. The first bytes from home let all go on. In
 * every other state the process stands still already. Silence of two thirds ends the guest.
 *
 * Any other stop of a thread takes a pending interruption away (ptrace(2)); so those that still run
 * are interrupted again after each turn of stops.
 */
#include <errno.h>

#include "migrate/guest.h"
#include "migrate/lease.h"
#include "migrate/told.h"

void guest_hold_running(struct guest *g)
{
	if (!g->held || g->state != GUEST_RUNNING)
		return;
	for (size_t i = 0; i < g->n; i++) {
		struct guest_thread *t = g->threads[i];

		if (t->state == THREAD_RUNNING && t->hold == HOLD_NONE)
			told_later(tracee_interrupt(t->tid));
	}
}

bool guest_hold(struct guest_thread *t, enum guest_hold how)
{
	if (!t->guest->held || t->guest->state != GUEST_RUNNING)
		return false;
	t->hold = how;
	return true;
}

static void release(struct guest *g)
{
	g->held = false;
	for (size_t i = 0; i < g->n; i++) {
		struct guest_thread *t = g->threads[i];
		enum guest_hold how = t->hold;

		t->hold = HOLD_NONE;
		if (how == HOLD_INTERRUPT)
			told_later(tracee_cont(t->tid, 0));
		else if (how == HOLD_GROUP)
			told_later(tracee_listen(t->tid));
	}
}

static void on_lease(void *owner)
{
	struct guest *g = owner;
	uint64_t heard = channel_heard_ms(g->channel), now = loop_now(g->loop);
	uint64_t hold = heard + lease_hold_ms(g->lease_ms),
		 end = heard + lease_guest_ms(g->lease_ms);

	if (now >= end) {
		guest_fail(g, -ETIMEDOUT, "nothing was heard of home: the lease is over");
		return;
	}
	if (now >= hold && !g->held) {
		g->held = true;
		guest_hold_running(g);
	}
	if (loop_add_timer(g->loop, now < hold ? hold : end, on_lease, g, &g->lease_ref) < 0)
		guest_fail(g, -ENOMEM, "no memory for a timer");
}

void guest_lease_start(struct guest *g, uint32_t lease_ms)
{
	g->lease_ms = lease_ms;
	on_lease(g);
}

void guest_heard(struct guest *g)
{
	if (!g->held)
		return;
	release(g);
	loop_remove(g->loop, &g->lease_ref); /* it stands at the end: the hold comes first again */
	on_lease(g);
}
