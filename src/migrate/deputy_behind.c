/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * deputy_behind.c - calls that come before the one in front of them was answered
 *
 * Theory of operation. A guest may send writes without waiting for their answers (guest_behind.c):
 * calls that are marked so, of one thread at a time, and with them the question what space there is.
 * The parasite takes one call after the other, so the rest waits here, in line; a call that the thread
 * does wait for takes its place at the end.
 *
 * A marked write that did not write all of its bytes is made again with the rest, so that it is all
 * written or the kernel says why not. After one that failed none of the writes behind it is made, for
 * they would put theirs in the wrong place. They are answered with ECANCELED, up to one that is waited
 * for, or until another call comes; then the guest knows.
 *
 * Until the line is empty CLONE, GONE and EXIT are kept: their thread may have calls to make, and
 * nobody may see the end of a program before its last bytes. A CANCEL is for the last call in line, the
 * only one that is waited for, and is kept until that is at work.
 *
 *	take_call --> line --> pump --> stub ... answered --> pump ... empty --> what was kept
 */
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>

#include "forward/call.h"
#include "migrate/deputy.h"

#define LINE_BYTES (4U << 20) /* a guest sends less */

struct waiting {
	uint32_t len, flags;
};

void deputy_behind_init(struct deputy *d)
{
	buf_init(&d->behind.line, LINE_BYTES);
}

void deputy_behind_done(struct deputy *d)
{
	buf_done(&d->behind.line);
	loop_remove(d->loop, &d->behind.empty_ref);
}

bool deputy_behind_is_busy(const struct deputy *d)
{
	return d->behind.running || d->behind.line.len;
}

bool deputy_behind_takes(const struct deputy *d, pid_t tid, uint32_t flags)
{
	return flags || (d->behind.tid && d->behind.tid == tid) ||
	       (d->behind.failed && d->behind.failed == tid);
}

static void answer(struct deputy *d, uint32_t flags, int64_t result)
{
	const struct deputy_call_header h = { (uint32_t)d->behind.tid, flags };
	const struct call_answer a = { .result = result };

	deputy_send(d, MOVE_ANSWER, &h, sizeof(h), &a, sizeof(a));
}

/* ------------------------------------------------------------------ what is kept */

static const struct {
	enum move_type type;
	int (*take)(struct deputy *d, const struct move_frame *f, struct err *e);
} kept[] = {
	{ MOVE_CLONE, deputy_take_clone },
	{ MOVE_GONE, deputy_take_gone },
	{ MOVE_EXIT, deputy_take_exit },
};

static void on_empty(void *owner)
{
	struct deputy *d = owner;
	struct deputy_behind *b = &d->behind;
	size_t n = b->n_kept;
	struct err e = { 0 };
	int r = 0;

	b->empty_ref = (struct ev_ref){ 0 };
	if (b->line.len || b->running || d->state == DEPUTY_RESUMING)
		return; /* more has come since, or nothing of it counts any more */
	b->tid = 0;
	b->cancel = false;
	b->n_kept = 0;
	for (size_t i = 0; !r && i < n && d->state < DEPUTY_OVER; i++) {
		const struct move_frame f = { .type = kept[b->kept[i].what].type,
					      .payload = (const uint8_t *)&b->kept[i].payload,
					      .len = sizeof(b->kept[i].payload) };

		r = kept[b->kept[i].what].take(d, &f, &e);
	}
	if (r < 0)
		deputy_drop(d, e.text);
}

void deputy_behind_settle(struct deputy *d)
{
	if (!d->behind.empty_ref.gen)
		return;
	loop_remove(d->loop, &d->behind.empty_ref);
	on_empty(d);
}

bool deputy_behind_keeps(struct deputy *d, const struct move_frame *f)
{
	struct deputy_behind *b = &d->behind;

	if (!b->tid)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
		if (kept[i].type != f->type || b->n_kept == ARRAY_LEN(b->kept))
			continue;
		b->kept[b->n_kept].what = (uint8_t)i;
		memcpy(&b->kept[b->n_kept].payload, f->payload, sizeof(uint32_t));
		b->n_kept++;
		return true;
	}
	return false;
}

/* -------------------------------------------------------------------- the line */

/* Return: 0, -errno: no honest guest asks for that */
static int make_call(struct deputy *d, const struct waiting *w)
{
	struct deputy_behind *b = &d->behind;
	const uint8_t *request = buf_bytes(&b->line) + sizeof(*w);
	struct call_request q;
	int r;

	memcpy(&q, request, sizeof(q)); /* it is that long: deputy_take_call() */
	if (b->failed == b->tid && (w->flags || q.nr == SYS_write)) {
		b->failed = w->flags ? b->tid : 0; /* the guest knows by now */
		answer(d, w->flags, -ECANCELED);
		return 0;
	}
	b->failed = 0;
	r = deputy_call(d, b->tid, request, w->len, false); /* not from here, as below */
	if (r == -ESRCH) {				    /* the thread is ending */
		answer(d, w->flags, -EINTR);
		return 0;
	}
	b->running = !r;
	b->flags = w->flags;
	b->done = 0;
	return r;
}

/* does anything stand behind what is at work? */
static bool is_anybody_waiting(const struct deputy_behind *b)
{
	return b->line.len > b->front;
}

static int pump(struct deputy *d)
{
	struct deputy_behind *b = &d->behind;
	int r = 0;

	while (!r && !b->running && b->line.len) {
		struct waiting w;

		memcpy(&w, buf_bytes(&b->line), sizeof(w));
		r = make_call(d, &w);
		b->front = b->running && w.flags ? sizeof(w) + w.len : 0;
		if (!b->front)
			buf_eat(&b->line, sizeof(w) + w.len);
	}
	if (!r && b->running && !is_anybody_waiting(b) && b->cancel) {
		b->cancel = false;
		stub_cancel(&d->stub, b->tid);
	}
	/* not from here: we may be in the middle of an answer of the stub's */
	if (!r && !b->running && !b->empty_ref.gen)
		r = loop_add_timer(d->loop, loop_now(d->loop), on_empty, d, &b->empty_ref);
	return r;
}

int deputy_behind_call(struct deputy *d, pid_t tid, uint32_t flags, const uint8_t *request,
		       size_t n)
{
	struct deputy_behind *b = &d->behind;
	const struct waiting w = { (uint32_t)n, flags };
	uint32_t nr;
	int r;

	memcpy(&nr, request + offsetof(struct call_request, nr), sizeof(nr));
	if (flags && (flags != DEPUTY_CALL_BEHIND || (nr != SYS_write && nr != SYS_fstatfs) ||
		      (b->tid && b->tid != tid)))
		return -EPROTO;
	b->tid = tid;
	r = buf_put(&b->line, &w, sizeof(w));
	if (!r)
		r = buf_put(&b->line, request, n);
	return r < 0 ? r : pump(d);
}

bool deputy_behind_cancel(struct deputy *d, pid_t tid)
{
	struct deputy_behind *b = &d->behind;

	if (!b->tid || b->tid != tid || (b->running && !b->flags && !b->line.len))
		return false;
	b->cancel = is_anybody_waiting(b);
	return true;
}

/* a write as honest guests make it: its head, and what it writes right behind that */
struct plain_write {
	struct call_request q;
	struct call_fixup fix;
};

/*
 * A part of the write was made. The head moves in front of what is left, over what is written
 *
 * Return: 1 it is with the stub again, 0 nothing is left of it, or there is no telling, -errno
 */
static int make_rest(struct deputy *d, int64_t part)
{
	struct deputy_behind *b = &d->behind;
	struct plain_write head;
	struct waiting w;
	uint32_t n;
	int r;

	memcpy(&w, buf_bytes(&b->line), sizeof(w));
	if (w.len < sizeof(head))
		return 0;
	memcpy(&head, buf_bytes(&b->line) + sizeof(w), sizeof(head));
	n = head.q.in_len;
	if (head.q.n_fixups != 1 || w.len != sizeof(head) + n || head.q.args[2] != n ||
	    head.q.out_at != n || part <= 0 || part >= n)
		return 0;
	n -= (uint32_t)part;
	head.q.in_len = head.q.out_at = n;
	head.q.args[2] = n;
	w.len = (uint32_t)sizeof(head) + n;
	buf_eat(&b->line, (size_t)part);
	b->front -= (size_t)part;
	memcpy(b->line.data + b->line.off, &w, sizeof(w));
	memcpy(b->line.data + b->line.off + sizeof(w), &head, sizeof(head));
	b->done += part;
	r = deputy_call(d, b->tid, buf_bytes(&b->line) + sizeof(w), w.len, false);
	return r < 0 ? r : 1;
}

/* the one at the front is answered; Return: 0, -errno: no honest guest asks for that */
static int end_front(struct deputy *d, const struct call_answer *a, const uint8_t *p, size_t n)
{
	struct deputy_behind *b = &d->behind;
	const struct deputy_call_header h = { (uint32_t)b->tid, b->flags };
	struct call_request q;
	int64_t all;
	int r;

	memcpy(&q, buf_bytes(&b->line) + sizeof(struct waiting), sizeof(q));
	r = q.nr == SYS_write ? make_rest(d, a->result) : 0;
	if (r == 1)
		return 0;
	b->running = false;
	buf_eat(&b->line, b->front);
	b->front = 0;
	if (q.nr != SYS_write) {
		deputy_send(d, MOVE_ANSWER, &h, sizeof(h), p, n);
		return pump(d);
	}
	all = a->result < 0 ? a->result : a->result + b->done;
	if (r == -ESRCH) /* the thread is ending */
		all = -EINTR;
	else if (r < 0)
		return r;
	b->failed = a->result != (int64_t)q.args[2] ? b->tid : 0;
	answer(d, b->flags, all);
	return pump(d);
}

bool deputy_behind_answer(struct deputy *d, pid_t tid, const uint8_t *p, size_t n)
{
	struct deputy_behind *b = &d->behind;
	const struct deputy_call_header h = { (uint32_t)tid, b->flags };
	struct call_answer a;
	int r;

	if (!b->running || b->tid != tid)
		return false;
	memcpy(&a, p, sizeof(a)); /* stub_calls.c: it is that long */
	if (b->front) {
		r = end_front(d, &a, p, n);
	} else {
		b->running = false;
		deputy_send(d, MOVE_ANSWER, &h, sizeof(h), p, n);
		r = pump(d);
	}
	if (r < 0)
		deputy_lost(d, "the host asks for calls that cannot be");
	return true;
}
