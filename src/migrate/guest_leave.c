/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guest_leave.c - the way home
 *
 * Theory of operation. Freezing brings each thread to a ptrace stop outside of any call: what runs
 * is interrupted; a call that is at home is cancelled there, and its thread stops when the answer
 * has been given to it, so no result is ever lost or had twice. When the last thread has stopped the
 * process is read as at home, and goes back the same way it came: image, signals that were not
 * delivered yet, pages, DONE. It stays frozen until the stream ends.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/restarts.h"
#include "migrate/capture.h"
#include "migrate/guest.h"
#include "migrate/pending.h"
#include "migrate/region.h"

void guest_freeze(struct guest *g)
{
	g->state = GUEST_FREEZING;
	for (size_t i = 0; i < g->n; i++) {
		struct guest_thread *t = g->threads[i];

		if (t->state == THREAD_FROZEN)
			continue;
		if (tracee_interrupt(t->tid) < 0)
			continue; /* killed: told by its end */
		if (t->state == THREAD_HOMEWARD)
			guest_reply(t, -ERESTARTNOINTR);
		else if (t->late_go_on)
			continue; /* it is not at home: goes on when its pages have come */
		else if (t->state == THREAD_CALLING)
			guest_cancel(t);
	}
	guest_frozen(g);
}

static bool all_frozen(const struct guest *g)
{
	for (size_t i = 0; i < g->n; i++)
		if (g->threads[i]->state != THREAD_FROZEN)
			return false;
	return true;
}

/* who goes on with a call that has done a part asks for the rest */
static void note_parts(struct guest *g)
{
	for (size_t i = 0; i < g->image.n_threads; i++) {
		struct image_thread *to = &g->image.threads[i];
		const struct guest_thread *t = guest_thread(g, (pid_t)to->tid);

		if (t && t->done)
			to->done = t->done;
	}
}

/* the time of its call is in a register */
static void shorten_wait(const struct guest_thread *t, uint64_t now_ns, struct image_thread *to)
{
	uint64_t *const args[] = { &to->regs.rdi, &to->regs.rsi, &to->regs.rdx,
				   &to->regs.r10, &to->regs.r8,	 &to->regs.r9 };
	uint64_t value;
	int arg;

	if (marshal_rest(t->marshal, now_ns, &arg, &value) && arg >= 0)
		*args[arg] = value;
}

/* what goes on at home waits only as long as it still had to */
static void shorten_waits(struct guest *g)
{
	for (size_t i = 0; i < g->image.n_threads; i++) {
		struct image_thread *to = &g->image.threads[i];
		const struct guest_thread *t = guest_thread(g, (pid_t)to->tid);
		uint64_t now_ns = guest_now_ns(), rest_ns;

		if (!t || !t->begun || to->regs.rax != t->nr)
			continue;
		if (marshal_sleep_rest(t->marshal, now_ns, &rest_ns))
			to->wait_until_ns = (int64_t)(now_ns + rest_ns) +
					    g->clocks.offset.monotonic_ns;
		else
			shorten_wait(t, now_ns, to);
	}
}

static int read_image(struct guest *g, struct err *e)
{
	uint64_t start = g->image.parasite, size = g->image.parasite_size;
	pid_t tids[IMAGE_THREADS_MAX];
	size_t n = 0;
	int r = g->untracked ? 0 : dirty_round(&g->dirty, true, e);

	tids[n++] = g->build.pid;
	for (size_t i = 0; i < g->n; i++)
		if (g->threads[i]->tid != g->build.pid)
			tids[n++] = g->threads[i]->tid;
	g->arrived = g->image;
	image_init(&g->image);
	if (!r)
		r = capture_threads(tids, n, CAPTURE_HOST, &g->image, e);
	if (!r)
		r = capture_process(&g->build.batch, start, start + size, &g->arrived, &g->image,
				    e);
	if (r < 0)
		return r;
	guest_limits_leave(g);
	guest_timers_leave(g);
	shorten_waits(g);
	note_parts(g);
	g->image.monotonic_ns += g->clocks.offset.monotonic_ns;
	g->image.boottime_ns += g->clocks.offset.boottime_ns;
	return 0;
}

static int start_leaving(struct guest *g, struct err *e)
{
	int r = read_image(g, e);

	buf_reset(&g->image_bytes);
	if (!r)
		r = image_check(&g->image, e);
	if (!r) {
		r = image_put(&g->image_bytes, &g->image);
		if (r < 0)
			(void)err_set(e, r, "write its image: %s", strerror(-r));
	}
	if (!r)
		r = guest_copy_last(g, e);
	return r;
}

/* signals that wait in the kernel here for this thread, or for the process */
static int send_pending(struct guest *g, pid_t tid, bool shared, struct err *e)
{
	struct pending *list;
	size_t n;
	int r = pending_read(tid, shared, &list, &n, e);

	for (size_t i = 0; !r && i < n; i++) {
		siginfo_t info = list[i].info;
		const uint32_t to[2] = { shared ? 0 : (uint32_t)tid, (uint32_t)info.si_signo };

		bool ours = guest_restore_info(g, shared ? 0 : tid, &info);

		guest_send(g, MOVE_SIGNAL, to, sizeof(to), &info, sizeof(info));
		if (g->checkpoint && ours)
			r = guest_keep_info(g, shared ? 0 : tid, &info);
	}
	if (!r)
		free(list);
	return r;
}

/* in pieces: there may be megabytes of mappings */
static int send_image(struct guest *g)
{
	while (channel_room(g->channel, MOVE_PAYLOAD_MAX)) {
		size_t n = g->image_bytes.len < MOVE_PAYLOAD_MAX ? g->image_bytes.len
								 : MOVE_PAYLOAD_MAX;

		guest_send(g, MOVE_IMAGE, buf_bytes(&g->image_bytes), n, NULL, 0);
		if (!n)
			return 1;
		buf_eat(&g->image_bytes, n);
	}
	return 0;
}

/* Return: 1 all is sent, 0 the channel is full */
static int send_pages(struct guest *g)
{
	struct err e = { 0 };
	int r = pages_send(&g->reader, g->channel, &e);

	if (r < 0)
		guest_fail(g, r, e.text);
	return r > 0;
}

static void go_on_leaving(struct guest *g)
{
	if (!g->image_is_sent)
		g->image_is_sent = send_image(g) > 0;
	if (!g->image_is_sent || !send_pages(g) || !channel_room(g->channel, MOVE_PAYLOAD_MAX))
		return;
	if (pages_send_end(g->channel) < 0)
		return; /* broken */
	if (g->checkpoint) {
		guest_kept(g);
		return;
	}
	guest_send(g, MOVE_DONE, &g->signals_taken, sizeof(g->signals_taken), NULL, 0);
	g->state = GUEST_LEFT;
}

static void send_signals(struct guest *g)
{
	struct err e = { 0 };
	int r = 0;

	for (size_t i = 0; !r && i < g->n; i++)
		r = send_pending(g, g->threads[i]->tid, false, &e);
	if (!r)
		r = send_pending(g, g->build.pid, true, &e);
	if (r < 0)
		guest_fail(g, r, e.text);
}

void guest_frozen(struct guest *g)
{
	struct err e = { 0 };

	if (g->state != GUEST_FREEZING || g->behind.n || !all_frozen(g) || guest_late_hold(g))
		return;
	guest_stream_end_all(g);
	g->state = GUEST_LEAVING;
	if (start_leaving(g, &e) < 0) {
		guest_fail(g, e.code, e.text);
		return;
	}
	g->image_is_sent = false;
	send_signals(g);
	go_on_leaving(g);
}

void guest_on_room(struct guest *g)
{
	if (g->state == GUEST_LEAVING)
		go_on_leaving(g);
	else
		guest_send_waiting(g);
	guest_behind_on(g);
	guest_copy_on(g);
}
