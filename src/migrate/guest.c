/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest.c - the agent's threads and frames; what each frame does is elsewhere (guest.h) */
#include "migrate/guest.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "forward/call.h"
#include "log/log.h"
#include "migrate/told.h"

struct guest_thread *guest_add_thread(struct guest *g, pid_t tid)
{
	struct guest_thread *t = g->n < IMAGE_THREADS_MAX ? calloc(1, sizeof(*t)) : NULL;
	const struct marshal_memory memory = { .owner = t,
					       .read_some = guest_memory_read,
					       .write = guest_memory_write };

	if (!t)
		return NULL;
	*t = (struct guest_thread){ .guest = g, .tid = tid };
	buf_init(&t->request, CALL_BYTES_MAX);
	buf_init(&t->late_answer, MOVE_PAYLOAD_MAX);
	t->marshal = marshal_new(&memory, g->image.first_fd, g->image.last_fd);
	if (!t->marshal) {
		free(t);
		return NULL;
	}
	g->threads[g->n++] = t;
	return t;
}

void guest_remove_thread(struct guest_thread *t)
{
	struct guest *g = t->guest;

	for (size_t i = 0; i < g->n; i++)
		if (g->threads[i] == t) {
			g->threads[i] = g->threads[--g->n];
			break;
		}
	guest_stream_forget(t);
	guest_behind_forget(t);
	guest_views_forget(t);
	marshal_free(t->marshal);
	buf_done(&t->request);
	buf_done(&t->late_answer);
	free(t);
}

struct guest_thread *guest_thread(const struct guest *g, pid_t tid)
{
	for (size_t i = 0; i < g->n; i++)
		if (g->threads[i]->tid == tid)
			return g->threads[i];
	return NULL;
}

uint64_t guest_now_ns(void)
{
	struct timespec t = { 0 };

	(void)clock_gettime(CLOCK_MONOTONIC, &t); /* exists everywhere */
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

void guest_fail(struct guest *g, int code, const char *what)
{
	if (g->why.code)
		return;
	(void)err_set(&g->why, code, "%s", what);
	if (g->state < GUEST_RUNNING && channel_room(g->channel, strlen(what)))
		told_later(channel_send(g->channel, MOVE_FAIL, what, strnlen(what, 512), NULL, 0));
	loop_stop(g->loop, 1);
}

void guest_send(struct guest *g, enum move_type type, const void *p, size_t n, const void *q,
		size_t m)
{
	int r = channel_send(g->channel, type, p, n, q, m);

	if (r < 0 && r != -EPIPE)
		guest_fail(g, r, "a frame cannot be sent: the other side takes none");
}

/* ------------------------------------------------------------------ frames */

static int take_run(struct guest *g, const struct move_frame *f, struct err *e)
{
	(void)f;
	return guest_run(g, e);
}

static int take_recall(struct guest *g, const struct move_frame *f, struct err *e)
{
	(void)f;
	if (g->copying)
		return err_set(e, -EPROTO, "a second RECALL");
	return guest_copy_home(g, false, e);
}

static int take_round(struct guest *g, const struct move_frame *f, struct err *e)
{
	(void)f;
	return g->state == GUEST_ARRIVING ? guest_take_arrived(g, e) : guest_take_copied(g, e);
}

static int take_fail(struct guest *g, const struct move_frame *f, struct err *e)
{
	char text[ERR_TEXT_MAX];

	(void)g;
	return err_set(e, -ECANCELED, "home gave up: %s",
		       log_quote(strndupa((const char *)f->payload, f->len), text, sizeof(text)));
}

void guest_ask_clock(struct guest *g)
{
	struct clocks both[2] = { 0 };

	clocks_read(&both[0]);
	guest_send(g, MOVE_CLOCK, both, sizeof(both), NULL, 0);
}

static int take_clock(struct guest *g, const struct move_frame *f, struct err *e)
{
	struct clocks both[2], now;
	int r;

	memcpy(both, f->payload, sizeof(both)); /* wire/move.h: it is that long */
	clocks_read(&now);
	r = clocks_sample(&g->clocks, &both[1], &both[0], &now);
	if (r < 0)
		return err_set(e, r, "clocks of home that cannot be");
	if (g->clocks.n < CLOCKS_SAMPLES)
		guest_ask_clock(g);
	return 0;
}

static const struct {
	enum move_type type;
	enum guest_state from, to; /* the states in which it may come */
	int (*take)(struct guest *g, const struct move_frame *f, struct err *e);
} frames[] = {
	{ MOVE_CLOCK, GUEST_ARRIVING, GUEST_ARRIVING, take_clock },
	{ MOVE_FILES, GUEST_ARRIVING, GUEST_ARRIVING, guest_take_files },
	{ MOVE_IMAGE, GUEST_ARRIVING, GUEST_ARRIVING, guest_take_image },
	{ MOVE_PAGES, GUEST_ARRIVING, GUEST_ARRIVING, guest_take_pages },
	{ MOVE_ANEW, GUEST_ARRIVING, GUEST_ARRIVING, guest_take_anew },
	{ MOVE_PAGES, GUEST_RUNNING, GUEST_LEFT, guest_late_take },
	{ MOVE_LATE, GUEST_ARRIVING, GUEST_ARRIVING, guest_late_prepare },
	{ MOVE_ROUND, GUEST_ARRIVING, GUEST_ARRIVING, take_round },
	{ MOVE_ROUND, GUEST_RUNNING, GUEST_RUNNING, take_round },
	{ MOVE_FAIL, GUEST_ARRIVING, GUEST_WAITING, take_fail },
	{ MOVE_RUN, GUEST_WAITING, GUEST_WAITING, take_run },
	{ MOVE_STREAMED, GUEST_RUNNING, GUEST_LEFT, guest_take_streamed },
	{ MOVE_DATA, GUEST_RUNNING, GUEST_LEFT, guest_take_data },
	{ MOVE_ANSWER, GUEST_RUNNING, GUEST_LEFT, guest_take_answer },
	{ MOVE_SIGNAL, GUEST_WAITING, GUEST_LEAVING, guest_take_signal },
	{ MOVE_CLONED, GUEST_RUNNING, GUEST_FREEZING, guest_take_cloned },
	{ MOVE_RECALL, GUEST_RUNNING, GUEST_RUNNING, take_recall },
	{ MOVE_CHECKPOINT, GUEST_RUNNING, GUEST_RUNNING, guest_take_checkpoint },
};

static int on_frame(void *owner, const struct move_frame *f, struct err *e)
{
	struct guest *g = owner;

	if (g->state == GUEST_LEFT)
		return 0; /* it has crossed our last word */
	for (size_t i = 0; i < ARRAY_LEN(frames); i++)
		if (frames[i].type == f->type && g->state >= frames[i].from &&
		    g->state <= frames[i].to)
			return frames[i].take(g, f, e);
	return err_set(e, -EPROTO, "%s cannot come now", move_name(f->type));
}

static void on_room(void *owner)
{
	guest_on_room(owner);
}

/* from BUILT on home may have said RUN, and may say it again; before, it undoes the move */
static bool on_cut(void *owner, const struct err *why)
{
	const struct guest *g = owner;

	(void)why;
	return g->state >= GUEST_WAITING;
}

static void on_heard(void *owner)
{
	guest_heard(owner);
}

static void on_broken(void *owner, const struct err *why)
{
	struct guest *g = owner;

	if (g->state == GUEST_LEFT) {
		loop_stop(g->loop, 0);
		return;
	}
	guest_fail(g, why->code ? why->code : -EPIPE, why->text);
}

const struct channel_ops guest_channel_ops = {
	.frame = on_frame,
	.room = on_room,
	.cut = on_cut,
	.heard = on_heard,
	.broken = on_broken,
};
