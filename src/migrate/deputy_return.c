/* SPDX-License-Identifier: GPL-2.0-or-later */
/* deputy_return.c - image, signals and pages come back, and the stub is the process again */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>

#include "migrate/clock.h"
#include "migrate/deputy.h"
#include "migrate/deputy_checkpoint.h"
#include "migrate/region.h"
#include "migrate/restore.h"
#include "migrate/set_state.h"
#include "migrate/stub_thread.h"
#include "os/clock.h"
#include "tracee/tracee.h"

/* no signal may come to a thread while calls are injected into it */
static int block_signals(struct deputy *d, struct err *e)
{
	for (size_t i = 0; i < d->stub.n; i++) {
		int r = tracee_set_sigmask(d->stub.threads[i]->tid, ~0ULL);

		if (r < 0)
			return err_set(e, r, "block its signals: %s", strerror(-r));
	}
	return 0;
}

int deputy_open_memory(struct deputy *d, struct err *e)
{
	int r;

	d->mem = tracee_mem_open(d->pid);
	d->pagemap = pages_open_pagemap(d->pid);
	r = d->mem < 0 ? d->mem : d->pagemap < 0 ? d->pagemap : 0;
	return r < 0 ? err_set(e, r, "open its memory: %s", strerror(-r)) : 0;
}

/* what is mapped where our region is would be under our own feet */
int deputy_check_image(const struct deputy *d, const struct image *m, struct err *e)
{
	const struct stub *s = &d->stub;

	if (m->pid != (uint32_t)d->pid)
		return err_set(e, -EPROTO, "another process came back");
	for (size_t i = 0; i < m->n_mappings; i++) {
		const struct image_mapping *v = &m->mappings[i];

		if (v->start < s->region + REGION_BYTES && v->end > s->region)
			return err_set(e, -EPROTO, "it came back with a mapping over our region");
		if (v->file)
			return err_set(e, -EPROTO, "it came back with a file that it was lent");
	}
	return stub_is_idle(s) && !deputy_behind_is_busy(d)
		       ? 0
		       : err_set(e, -EPROTO, "it came back with calls under way");
}

int deputy_stop_stub(struct deputy *d, struct err *e)
{
	int r = stub_halt(&d->stub, e);

	return r < 0 ? r : block_signals(d, e);
}

/* what is mapped anew comes whole */
static int comes_later(void *owner, enum image_change what, uint64_t start, uint64_t end,
		       const struct image_mapping *to)
{
	(void)to;
	if (what != IMAGE_PROTECT)
		pageset_del(owner, start, (end - start) / IMAGE_PAGE);
	return 0;
}

/* a page of a mapping that was made at the host in the place of a file's, which has become shorter since */
static int check_missed(const struct deputy *d, struct err *e)
{
	uint64_t at, n;

	if (!pageset_next(&d->missed, 0, IMAGE_TOP, &at, &n))
		return 0;
	return err_set(e, -EIO, "there is no memory for a page at %#llx", (unsigned long long)at);
}

static int start_return(struct deputy *d, struct err *e)
{
	int r = image_get(buf_bytes(&d->image_bytes), d->image_bytes.len, &d->back, e);

	deputy_lap(d, "host");
	buf_reset(&d->image_bytes);
	if (!r)
		r = deputy_check_image(d, &d->back, e);
	if (!r)
		r = deputy_stop_stub(d, e);
	if (!r)
		r = restore_memory(&d->stub, &d->back, e);
	if (!r)
		r = image_changes(&d->stub.before, &d->back, IMAGE_BY_PLACE, comes_later,
				  &d->missed);
	deputy_stream_end(d);
	deputy_lap(d, "memory");
	deputy_enter(d, DEPUTY_RETURNING, 0);
	return r;
}

/* before a RECALL it may only come for an image that is to be kept */
static int is_awaited(const struct deputy *d, const struct move_frame *f, struct err *e)
{
	if (d->state != DEPUTY_AWAY || (d->checkpoint && d->checkpoint->asked))
		return 0;
	return err_set(e, -EPROTO, "%s cannot come now", move_name(f->type));
}

int deputy_take_image(struct deputy *d, const struct move_frame *f, struct err *e)
{
	int r;

	r = is_awaited(d, f, e);
	if (r < 0)
		return r;
	deputy_behind_settle(d);
	if (d->state == DEPUTY_OVER || d->state == DEPUTY_RESUMING)
		return 0; /* by what was kept */
	if (d->state == DEPUTY_RETURNING || (d->checkpoint && d->checkpoint->coming.n_threads))
		return err_set(e, -EPROTO, "a second image");
	r = buf_put(&d->image_bytes, f->payload, f->len);
	if (r < 0)
		return err_set(e, r, "keep the image: %s", strerror(-r));
	if (f->len)
		return 0;
	return d->checkpoint ? checkpoint_take_image(d->checkpoint, e) : start_return(d, e);
}

/* all of it in mappings that came back: our region is none of them */
bool deputy_is_mapped(const struct image *m, uint64_t at, uint64_t end)
{
	const struct image_mapping *v;

	while (at < end && (v = image_at(m, at)))
		at = v->end;
	return at >= end;
}

int deputy_drop_pages(void *owner, uint64_t at, uint64_t n, struct err *e)
{
	struct deputy *d = owner;
	int r = batch_add(&d->stub.batch, SYS_madvise, at, n * IMAGE_PAGE, MADV_DONTNEED, 0, 0, 0);

	if (r == -ENOBUFS) { /* full: run what there is, and once more */
		r = set_state_run(&d->stub.batch, d->pid, "give pages back", e);
		if (!r)
			r = batch_add(&d->stub.batch, SYS_madvise, at, n * IMAGE_PAGE,
				      MADV_DONTNEED, 0, 0, 0);
	}
	return r < 0 ? r : 0;
}

int deputy_take_pages(struct deputy *d, const struct move_frame *f, struct err *e)
{
	/* while it runs on there, the stub has what it had when it left */
	const struct image *m = d->state == DEPUTY_RETURNING ? &d->back : &d->stub.before;
	uint64_t at;
	uint32_t n;
	const struct pages_writer w = {
		.pid = d->pid,
		.mem = d->mem,
		.uffd = -1,
		.pagemap = d->pagemap,
		.missed = &d->missed,
		.drop = d->state == DEPUTY_RETURNING ? deputy_drop_pages : NULL, /* else it works */
		.owner = d,
		.hide_start = d->stub.region,
		.hide_end = d->stub.region + REGION_BYTES,
	};
	bool end;
	int r = is_awaited(d, f, e);

	if (r < 0)
		return r;
	d->bytes_back += f->len;
	if (d->checkpoint)
		return checkpoint_take_pages(d->checkpoint, f, e);
	/* wire/move.h: the fixed part is there; the rest is checked by pages_write() */
	memcpy(&at, f->payload, sizeof(at));
	memcpy(&n, f->payload + sizeof(at), sizeof(n));
	if (at < IMAGE_TOP && !deputy_is_mapped(m, at, at + (uint64_t)n * MOVE_PAGE))
		return err_set(e, -EPROTO, "%u pages at %#llx, where it has no memory", n,
			       (unsigned long long)at);
	r = pages_write(&w, f, &end, e);
	if (!r && end && d->state == DEPUTY_RETURNING)
		r = set_state_run(&d->stub.batch, d->pid, "give pages back", e);
	return r;
}

/* a round has come home; the host stops it after that, or makes another one */
int deputy_take_round(struct deputy *d, const struct move_frame *f, struct err *e)
{
	int r = is_awaited(d, f, e);

	if (r < 0)
		return r;
	if (d->state == DEPUTY_RECALLING) {
		d->froze_us = clock_boot_us();
		laps_start(&d->laps, d->froze_us);
	}
	deputy_send(d, MOVE_ROUND, NULL, 0, NULL, 0);
	return 0;
}

static int take_checkpoint_signal(struct deputy *d, uint32_t tid, uint32_t signo,
				  const uint8_t *info, struct err *e)
{
	struct pending p = { .tid = (pid_t)tid };

	memcpy(&p.info, info, sizeof(p.info));
	if (!signo || signo > IMAGE_SIGNALS || p.info.si_signo != (int)signo)
		return err_set(e, -EPROTO, "signal %u cannot be", signo);
	if (checkpoint_take_signal(d->checkpoint, &p) < 0)
		return err_set(e, -ENOMEM, "no memory for a signal");
	return 0;
}

int deputy_take_signal(struct deputy *d, const struct move_frame *f, struct err *e)
{
	struct {
		uint32_t tid, signo;
		uint8_t info[sizeof(siginfo_t)];
	} p;
	struct pending *more;
	int r = is_awaited(d, f, e);

	if (r < 0)
		return r;
	memcpy(&p, f->payload, sizeof(p)); /* wire/move.h: it is that long */
	if (d->checkpoint)
		return take_checkpoint_signal(d, p.tid, p.signo, p.info, e);
	more = reallocarray(d->pending, d->n_pending + 1, sizeof(*more));
	if (!more)
		return err_set(e, -ENOMEM, "no memory for a signal");
	d->pending = more;
	more += d->n_pending;
	*more = (struct pending){
		.tid = (pid_t)p.tid
	}; /* no number: the guest has it, not taken */
	memcpy(&more->info, p.info, sizeof(p.info));
	if (d->n_pending >= PENDING_MAX || !p.signo || p.signo > IMAGE_SIGNALS ||
	    more->info.si_signo != (int)p.signo)
		return err_set(e, -EPROTO, "signal %u cannot be", p.signo);
	d->n_pending++;
	return 0;
}

/* no clock may step back for the process */
void deputy_hold(const struct image *m)
{
	const struct clocks last = { m->monotonic_ns, m->boottime_ns };
	struct clocks now;
	int64_t ns;

	clocks_read(&now);
	ns = clocks_hold_ns(&last, &now);
	if (ns > 0) {
		const struct timespec t = { ns / 1000000000, ns % 1000000000 };

		(void)nanosleep(&t, NULL); /* interrupted: some microseconds */
	}
}

static void come_home(struct deputy *d)
{
	uint64_t freeze_us = clock_boot_us() - d->froze_us;

	deputy_lap(d, "go");
	if (deputy_again_thread(d)) {
		deputy_enter(d, DEPUTY_HOME, freeze_us);
		deputy_again_await(d);
		return;
	}
	deputy_enter(d, DEPUTY_OVER, freeze_us);
	d->state = DEPUTY_RETURNING;
	deputy_over(d, 0, "the process is at home");
}

/* one for a thread that has ended meanwhile is nobody's, as it is natively */
static void drop_signals_of_ended(struct deputy *d)
{
	size_t n = 0;

	for (size_t i = 0; i < d->n_pending; i++)
		if (!d->pending[i].tid || stub_thread_find(&d->stub, d->pending[i].tid))
			d->pending[n++] = d->pending[i];
	d->n_pending = n;
}

int deputy_take_done(struct deputy *d, const struct move_frame *f, struct err *e)
{
	uint64_t taken;
	int r;

	memcpy(&taken, f->payload, sizeof(taken)); /* wire/move.h: it is that long */
	deputy_lap(d, "pages");
	if (d->checkpoint) {
		r = checkpoint_commit(d->checkpoint, taken, e);
		if (!r) {
			deputy_enter(d, DEPUTY_RETURNING, 0); /* no way back from here */
			r = deputy_rebuild(d, false, e);
		}
	} else if (d->state != DEPUTY_RETURNING) {
		r = err_set(e, -EPROTO, "DONE without an image");
	} else {
		drop_signals_of_ended(d);
		r = check_missed(d, e);
		if (!r)
			r = pending_put_back(&d->stub.batch, d->pid, d->pending, d->n_pending,
					     taken, e);
		deputy_hold(&d->back);
		deputy_lap(d, "clock");
		if (!r)
			r = restore_finish(&d->stub, &d->back, deputy_again_thread(d), e);
	}
	if (r < 0)
		return r;
	come_home(d);
	return 0;
}

int deputy_take_kept(struct deputy *d, const struct move_frame *f, struct err *e)
{
	if (!d->checkpoint)
		return err_set(e, -EPROTO, "an image that nobody asked for");
	return checkpoint_take_kept(d->checkpoint, f, e);
}
