/* SPDX-License-Identifier: GPL-2.0-or-later */
/* deputy_checkpoint.c - images of a process that is away come home, and are kept */
#include "migrate/deputy_checkpoint.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "forward/call.h"
#include "log/log.h"
#include "migrate/pages_frame.h"
#include "migrate/region.h"
#include "migrate/stub_thread.h"
#include "os/fd.h"

#define FILES	  4096 /* more than LEDGER_ENTRIES_MAX and what a deputy has otherwise */
#define PAUSE_MAX 16   /* intervals; after images that failed */

/* a copy of a descriptor of the process, for the ledger */
static int fetch(void *owner, int number)
{
	const struct checkpoint *c = owner;
	int fd = (int)syscall(SYS_pidfd_getfd, c->deputy->stub.pidfd, number, 0);

	return fd < 0 ? -errno : fd;
}

static void tell(const struct checkpoint *c, const char *text)
{
	log_warn("%s", text);
	if (c->deputy->ops->note)
		c->deputy->ops->note(c->deputy->owner, text);
}

/* the ledger holds files open */
static void raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= FILES)
		return;
	limit.rlim_cur = limit.rlim_max < FILES ? limit.rlim_max : FILES;
	(void)setrlimit(RLIMIT_NOFILE, &limit); /* fails: fewer can be undone */
}

int deputy_checkpoint(struct deputy *d, const struct checkpoint_spec *spec, struct err *e)
{
	struct checkpoint *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return err_set(e, -ENOMEM, "no memory for images");
	raise_limit();
	c->deputy = d;
	c->interval_ms = c->pause_ms = spec->interval_ms;
	page_store_init(&c->store);
	image_init(&c->image);
	image_init(&c->coming);
	ledger_init(&c->ledger, d->pid, fetch, c);
	r = page_store_open(&c->store, spec->dir, spec->max_bytes, e);
	if (r < 0)
		checkpoint_free(c);
	else
		d->checkpoint = c;
	return r;
}

void checkpoint_free(struct checkpoint *c)
{
	if (!c)
		return;
	loop_remove(c->deputy->loop, &c->timer);
	loop_remove(c->deputy->loop, &c->turn);
	loop_remove(c->deputy->loop, &c->deadline);
	loop_remove(c->deputy->loop, &c->early_ref);
	for (size_t i = 0; i < IMAGE_THREADS_MAX; i++)
		ledger_forget(&c->notes[i]);
	ledger_done(&c->ledger);
	page_store_done(&c->store);
	image_done(&c->image);
	image_done(&c->coming);
	free(c->at.list);
	free(c->coming_at.list);
	free(c->told.list);
	free(c);
}

/* ------------------------------------------------------------------ effects */

/* a pointer that is to be put into an argument counts as one that is there */
static void read_args(const uint8_t *request, size_t n, uint64_t args[6], uint32_t *ret_nr)
{
	struct call_request q;

	memcpy(&q, request, sizeof(q)); /* deputy_take_call(): it is that long */
	memcpy(args, q.args, sizeof(q.args));
	*ret_nr = q.nr;
	for (size_t i = 0; i < q.n_fixups; i++) {
		struct call_fixup fix;
		size_t at = sizeof(q) + i * sizeof(fix);

		if (at + sizeof(fix) > n)
			return; /* the parasite will refuse it */
		memcpy(&fix, request + at, sizeof(fix));
		if (fix.at & CALL_FIX_ARG && (fix.at & ~CALL_FIX_ARG) < 6)
			args[fix.at & ~CALL_FIX_ARG] = 1;
	}
}

void checkpoint_call(struct checkpoint *c, pid_t tid, const uint8_t *request, size_t n)
{
	const struct stub_thread *t = stub_thread_find(&c->deputy->stub, tid);
	uint64_t args[6];
	uint32_t nr;

	if (!t)
		return;
	read_args(request, n, args, &nr);
	ledger_before(&c->ledger, nr, args, &c->notes[t->slot]);
}

void checkpoint_answer(struct checkpoint *c, pid_t tid, const uint8_t *answer, size_t n)
{
	const struct stub_thread *t = stub_thread_find(&c->deputy->stub, tid);
	struct call_answer a;

	if (!t || n < sizeof(a))
		return;
	memcpy(&a, answer, sizeof(a));
	ledger_after(&c->ledger, &c->notes[t->slot], a.result);
}

/* ------------------------------------------------------------------ signals */

static int keep_signal(struct checkpoint_signals *s, const struct pending *p)
{
	struct pending *more;

	if (s->n >= PENDING_MAX)
		return -ENOBUFS;
	more = reallocarray(s->list, s->n + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	s->list = more;
	s->list[s->n++] = *p;
	return 0;
}

int checkpoint_signal(struct checkpoint *c, pid_t tid, uint64_t number, const siginfo_t *info)
{
	const struct pending p = { .tid = tid, .number = number, .info = *info };
	int r = keep_signal(&c->told, &p);

	if (r == -ENOBUFS) { /* the next image will be without them */
		ledger_spoil(&c->ledger, "too many signals have come");
		r = 0;
	}
	return r;
}

int checkpoint_take_signal(struct checkpoint *c, const struct pending *p)
{
	return keep_signal(&c->coming_at, p);
}

/* ------------------------------------------------------------------ threads */

static bool has_thread(const struct image *m, pid_t tid)
{
	for (size_t i = 0; i < m->n_threads; i++)
		if (m->threads[i].tid == (uint32_t)tid)
			return true;
	return false;
}

bool checkpoint_gone(struct checkpoint *c, pid_t tid)
{
	if (c->n_gone == ARRAY_LEN(c->gone) ||
	    (!has_thread(checkpoint_image(c), tid) && !has_thread(&c->coming, tid)))
		return false;
	c->gone[c->n_gone++] = tid;
	return true;
}

/* those that no image has any more */
static void end_gone(struct checkpoint *c)
{
	size_t n = 0;

	for (size_t i = 0; i < c->n_gone; i++)
		if (has_thread(&c->image, c->gone[i]))
			c->gone[n++] = c->gone[i];
		else
			stub_gone(&c->deputy->stub, c->gone[i]);
	c->n_gone = n;
}

/* -------------------------------------------------------------- asking for one */

static void on_time(void *owner);

static void arm(struct checkpoint *c)
{
	struct loop *l = c->deputy->loop;

	if (loop_add_timer(l, loop_now(l) + c->pause_ms, on_time, c, &c->timer) < 0)
		tell(c, "no more images are taken of it: no memory for a timer");
}

static void ask(struct checkpoint *c)
{
	const uint32_t whole = c->whole;

	c->asked = true;
	c->got_pages = c->void_ = false;
	deputy_send(c->deputy, MOVE_CHECKPOINT, &whole, sizeof(whole), NULL, 0);
}

static void on_time(void *owner)
{
	struct checkpoint *c = owner;

	c->timer = (struct ev_ref){ 0 };
	if (c->deputy->state != DEPUTY_AWAY)
		return;
	/* as long as pages are still to come to the host, it has the image it left as */
	if (!c->asked && !c->deputy->recall && c->deputy->late != DEPUTY_LATE_YES &&
	    channel_room(c->deputy->channel, MOVE_PAYLOAD_MAX))
		ask(c);
	arm(c);
}

void checkpoint_start(struct checkpoint *c)
{
	c->kept_ms = loop_now(c->deputy->loop);
	arm(c);
}

static void on_early(void *owner);

/* Return: it goes on in a moment */
static bool go_on_early(struct checkpoint *c)
{
	struct loop *l = c->deputy->loop;

	return loop_add_timer(l, loop_now(l), on_early, c, &c->early_ref) == 0;
}

/* what fails here is tried once more in the end, and tells then */
static void on_early(void *owner)
{
	struct checkpoint *c = owner;
	struct deputy *d = c->deputy;
	struct err e = { 0 };

	c->early_ref = (struct ev_ref){ 0 };
	if (d->state != DEPUTY_AWAY)
		return;
	if (deputy_put_early(d, &c->early, &e) == 1 && go_on_early(c))
		return;
	c->early_done = true;
	deputy_fetch(d);
}

static bool puts_early(struct checkpoint *c)
{
	struct err e = { 0 };

	if (c->early_ref.gen)
		return true;
	if (c->early_done || !c->n_kept ||
	    (c->deputy->mem < 0 && deputy_open_memory(c->deputy, &e) < 0))
		return false;
	return go_on_early(c);
}

bool checkpoint_holds_recall(struct checkpoint *c)
{
	if (c->asked)
		return true;
	page_store_spill(&c->store);
	if (c->whole)
		ask(c);
	return c->asked || puts_early(c);
}

/* ---------------------------------------------------------------- it comes */

static void forget_coming(struct checkpoint *c)
{
	page_store_discard(&c->store);
	image_done(&c->coming);
	free(c->coming_at.list);
	c->coming_at = (struct checkpoint_signals){ 0 };
}

/* there is no room for it: what is kept stays */
static void give_up_coming(struct checkpoint *c, const struct err *why)
{
	uint64_t age_s = (loop_now(c->deputy->loop) - c->kept_ms) / 1000;
	char text[ERR_TEXT_MAX];

	(void)snprintf(
		text, sizeof(text),
		"%s; the image of %llu s ago is kept. Make room, or give --checkpoint-dir or "
		"--checkpoint-max to mosrun",
		why->text, (unsigned long long)age_s);
	tell(c, text);
	c->void_ = true;
	page_store_discard(&c->store);
}

int checkpoint_take_image(struct checkpoint *c, struct err *e)
{
	struct deputy *d = c->deputy;
	int r = image_get(buf_bytes(&d->image_bytes), d->image_bytes.len, &c->coming, e);

	buf_reset(&d->image_bytes);
	if (!r)
		r = deputy_check_image(d, &c->coming, e);
	for (size_t i = 0; !r && i < c->coming.n_threads; i++)
		if (!stub_thread_find(&d->stub, (pid_t)c->coming.threads[i].tid))
			r = err_set(e, -EPROTO, "an image with a thread that is none");
	if (r < 0)
		return r;
	c->coming_told_at = d->signals_sent;
	return 0;
}

/* pages that the stub has from before it left, and the process has not any more */
static int put_absent(struct checkpoint *c, uint64_t at, uint64_t end, struct err *e)
{
	struct page_run runs[PAGES_RUNS];
	AUTO_CLOSE int pagemap = pages_open_pagemap(c->deputy->pid);
	int r = pagemap < 0 ? pagemap : 0;

	page_store_absent(&c->store, at, end);
	while (!r && at < end) {
		ssize_t n = pages_scan(pagemap, &at, end, false, runs, PAGES_RUNS);

		r = n < 0 ? (int)n : 0;
		for (ssize_t i = 0; !r && i < n; i++)
			r = page_store_put(&c->store, runs[i].start, (uint32_t)runs[i].n,
					   PAGE_STORE_ABSENT, NULL, e);
	}
	return r;
}

int checkpoint_take_pages(struct checkpoint *c, const struct move_frame *f, struct err *e)
{
	const struct image *m = c->coming.n_threads ? &c->coming : checkpoint_image(c);
	const uint64_t hide = c->deputy->stub.region;
	struct err why = { 0 };
	struct pages_header h;
	int r = pages_check(f, hide, hide + REGION_BYTES, &h, e);

	if (r < 0 || !h.n)
		return r;
	if (!deputy_is_mapped(m, h.at, h.at + (uint64_t)h.n * MOVE_PAGE))
		return err_set(e, -EPROTO, "%u pages at %#llx, where it has no memory", h.n,
			       (unsigned long long)h.at);
	c->got_pages = true;
	if (c->void_)
		return 0;
	if (h.kind == PAGES_ABSENT)
		r = put_absent(c, h.at, h.at + (uint64_t)h.n * MOVE_PAGE, &why);
	else
		r = page_store_put(&c->store, h.at, h.n,
				   h.kind == PAGES_ZERO ? PAGE_STORE_ZERO : PAGE_STORE_BYTES,
				   f->payload + sizeof(h), &why);
	if (r < 0) {
		if (!why.code)
			(void)err_set(&why, r, "keep its pages: %s", strerror(-r));
		if (c->deputy->state == DEPUTY_RECALLING) { /* there is no other place for it */
			*e = why;
			return r;
		}
		give_up_coming(c, &why);
	}
	return 0;
}

int checkpoint_commit(struct checkpoint *c, uint64_t taken, struct err *e)
{
	size_t n = 0;

	if (!c->coming.n_threads || c->void_)
		return err_set(e, -EPROTO, "the end of an image that has not come");
	page_store_commit(&c->store);
	image_done(&c->image);
	c->image = c->coming;
	image_init(&c->coming);
	ledger_reset(&c->ledger);
	free(c->at.list);
	c->at = c->coming_at;
	c->coming_at = (struct checkpoint_signals){ 0 };
	c->taken = taken;
	c->told_at = c->coming_told_at;
	for (size_t i = 0; i < c->told.n; i++)
		if (!c->told.list[i].number || c->told.list[i].number > taken)
			c->told.list[n++] = c->told.list[i];
	c->told.n = n;
	end_gone(c);
	c->whole = false;
	c->pause_ms = c->interval_ms;
	c->kept_ms = loop_now(c->deputy->loop);
	c->n_kept++;
	return 0;
}

int checkpoint_take_kept(struct checkpoint *c, const struct move_frame *f, struct err *e)
{
	struct {
		uint64_t taken;
		uint32_t status, zero;
	} k;
	int r = 0;

	memcpy(&k, f->payload, sizeof(k)); /* wire/move.h: it is that long */
	if (!c->asked)
		return err_set(e, -EPROTO, "an image that nobody asked for");
	c->asked = false;
	if (!k.status && !c->void_) {
		r = checkpoint_commit(c, k.taken, e);
		log_debug("image %u of process %d is kept", c->n_kept, c->deputy->pid);
	} else {
		c->whole = c->whole || c->got_pages;
		forget_coming(c);
		if (c->void_ && c->pause_ms < PAUSE_MAX * c->interval_ms)
			c->pause_ms *= 2;
	}
	c->void_ = false;
	if (!r && c->deputy->ops->checkpoint)
		c->deputy->ops->checkpoint(c->deputy->owner, c->n_kept);
	if (!r && c->deputy->recall)
		deputy_fetch(c->deputy);
	return r;
}
