/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * deputy_behind.c - calls that come before the one in front of them was answered
 *
 * Theory of operation. A guest may send writes without waiting for their answers (guest_behind.c):
 * calls that are marked so, of one thread at a time. The parasite takes one call after the other, so the
 * rest waits here, in line; a call that the thread does wait for takes its place at the end.
 *
 * When a marked write did not write all of its bytes, none of the writes behind it is made, for
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

#define LINE_BYTES (2U << 20) /* a guest sends less */

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
	return d->behind.tid != 0;
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
	b->want = (int64_t)q.args[2];
	return r;
}

static int pump(struct deputy *d)
{
	struct deputy_behind *b = &d->behind;
	int r = 0;

	while (!r && !b->running && b->line.len) {
		struct waiting w;

		memcpy(&w, buf_bytes(&b->line), sizeof(w));
		r = make_call(d, &w);
		buf_eat(&b->line, sizeof(w) + w.len);
	}
	if (!r && b->running && !b->line.len && b->cancel) {
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
	if (flags && (flags != DEPUTY_CALL_BEHIND || nr != SYS_write || (b->tid && b->tid != tid)))
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
	b->cancel = b->line.len != 0;
	return true;
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
	b->running = false;
	b->failed = b->flags && a.result != b->want ? tid : 0;
	deputy_send(d, MOVE_ANSWER, &h, sizeof(h), p, n);
	r = pump(d);
	if (r < 0)
		deputy_lost(d, "the host asks for calls that cannot be");
	return true;
}
