/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * deputy_late.c - memory follows after the move (post-copy)
 *
 * Theory of operation. While the process runs, the host gets its mappings, and the question whether
 * its pages may come late (LATE). If not, we go on as if nobody had asked for it. Then the process is
 * stopped, and what is sent before RUN does not depend on its size: the image, which ranges are late,
 * and the pages that each thread is about to use. Shared memory goes whole.
 *
 * After RUN the stub's memory is served: first where nothing is, for the host need not ask for that;
 * then what it asks for (FETCH). What somebody waits for goes before what is fetched ahead; the host
 * sees to it that this is never much. Pages are read and not changed here, so whatever the host does
 * not fetch is still there when the process comes home.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "migrate/deputy.h"
#include "migrate/region.h"
#include "os/clock.h"
#include "tracee/pageset.h"

#define FETCHES_MAX 4096 /* not served yet; an honest host has some hundreds */
#define WITH_STACK  16	 /* threads that get more of their stack than the page they are on */
#define STACK_PAGES 4

/* the mapping that an address lies in; NULL: none, or one that the host has itself */
static const struct image_mapping *mapping_of(const struct image *m, uint64_t at)
{
	const struct image_mapping *v = image_at(m, at);

	return v && v->flags & (IMAGE_MAP_VDSO | IMAGE_MAP_VSYSCALL) ? NULL : v;
}

/*
 * Not what the host maps of a file of its own; nor shared memory, which is shared at the host as well
 * (remap.h), and nobody is asked for a page of that
 */
static bool is_late(const struct image_mapping *v)
{
	return !v->file && !(v->flags & (IMAGE_MAP_VDSO | IMAGE_MAP_VSYSCALL | IMAGE_MAP_SHARED |
					 IMAGE_MAP_BEYOND));
}

/* of a file every page is asked for, as in pages.h */
static enum pages_which which(const struct image_mapping *v)
{
	return v->flags & (IMAGE_MAP_FILE | IMAGE_MAP_SHARED) ? PAGES_ALL : PAGES_AND_GAPS;
}

/* ----------------------------------------------------------------- before RUN */

static int need(struct pageset *s, const struct image *m, uint64_t at)
{
	const struct image_mapping *v = mapping_of(m, at);

	at &= ~(uint64_t)(MOVE_PAGE - 1);
	return v && is_late(v) ? pageset_add(s, at, 1) : 0;
}

/*
 * What the thread is about to use, and what the kernel uses for it as soon as it runs. The arguments,
 * because a thread may be in a futex call: on its word some of them do not wait for a missing page
 * (fault_in_user_writeable() of the kernel), and say EFAULT.
 */
static int need_thread(struct pageset *s, const struct image *m, const struct image_thread *t,
		       bool stack)
{
	const uint64_t places[] = {
		t->regs.rip,	t->regs.rsp,  t->regs.fs_base, t->rseq_address,
		t->robust_list, t->clear_tid, t->regs.rdi,     t->regs.rsi,
		t->regs.rdx,	t->regs.r10,  t->regs.r8,      t->regs.r9,
	};
	int r = 0;

	for (size_t i = 0; !r && i < ARRAY_LEN(places); i++)
		r = need(s, m, places[i]);
	for (uint64_t i = 1; stack && !r && i < STACK_PAGES; i++)
		r = need(s, m, t->regs.rsp + i * MOVE_PAGE);
	return r;
}

static int add_needed(struct deputy *d)
{
	const struct image *m = &d->stub.before;
	struct pageset s;
	uint64_t at = 0, n;
	int r = 0;

	pageset_init(&s);
	for (size_t i = 0; !r && i < m->n_threads; i++)
		r = need_thread(&s, m, &m->threads[i], i < WITH_STACK);
	for (; !r && pageset_next(&s, at, IMAGE_TOP, &at, &n); at += n * MOVE_PAGE)
		r = pages_add(&d->reader, at, at + n * MOVE_PAGE, PAGES_ALL);
	pageset_done(&s);
	return r;
}

int deputy_late_last(struct deputy *d)
{
	const struct image *m = &d->stub.before;
	int r = 0;

	for (size_t i = 0; !r && i < m->n_mappings; i++) {
		const struct image_mapping *v = &m->mappings[i];

		if (is_late(v))
			r = pages_add(&d->reader, v->start, v->end, PAGES_STAY);
		else if (v->file)
			r = pages_add(&d->reader, v->start, v->end, PAGES_OWN);
		else if (v->flags & IMAGE_MAP_SHARED && !(v->flags & IMAGE_MAP_BEYOND))
			r = pages_add(&d->reader, v->start, v->end, PAGES_ALL);
	}
	return r < 0 ? r : add_needed(d);
}

int deputy_take_late(struct deputy *d, const struct move_frame *f, struct err *e)
{
	char why[ERR_TEXT_MAX];
	uint32_t answer;

	memcpy(&answer, f->payload, sizeof(answer)); /* wire/move.h: it is that long */
	if (d->anew)
		return 0; /* of the program before */
	if (d->late != DEPUTY_LATE_ASKED)
		return err_set(e, -EPROTO, "an answer to LATE, which was not said");
	d->late = answer ? DEPUTY_LATE_NO : DEPUTY_LATE_YES;
	if (!answer)
		return 0;
	d->late_refused = true;
	(void)snprintf(why, sizeof(why),
		       "its memory goes before it: the host cannot have it later (%s); that needs "
		       "Linux 6.7 and /dev/userfaultfd there",
		       strerror((int)(answer & 0xfff)));
	if (d->ops->note)
		d->ops->note(d->owner, why);
	return 0;
}

/* ------------------------------------------------------------------ after RUN */

void deputy_late_serve(struct deputy *d)
{
	struct err e = { 0 };
	int r = pages_is_idle(&d->urgent) ? 1 : pages_send(&d->urgent, d->channel, &e);

	if (r > 0 && !pages_is_idle(&d->reader))
		r = pages_send(&d->reader, d->channel, &e);
	d->bytes_out = d->reader.bytes + d->urgent.bytes;
	if (r < 0 && r != -ESRCH) /* it was killed: told by its end */
		deputy_lost(d, e.code ? e.text : "its memory cannot be sent any more");
}

int deputy_late_run(struct deputy *d, struct err *e)
{
	const struct image *m = &d->stub.before;
	int r = pages_reader_open(&d->urgent, d->pid, d->stub.region, d->stub.region + REGION_BYTES,
				  e);

	d->filling_since_us = clock_boot_us();
	d->reader.all_told = d->urgent.all_told = true;
	for (size_t i = 0; !r && i < m->n_mappings; i++) {
		const struct image_mapping *v = &m->mappings[i];

		if (is_late(v) && which(v) == PAGES_AND_GAPS &&
		    pages_add(&d->reader, v->start, v->end, PAGES_GAPS) < 0)
			r = err_set(e, -ENOMEM, "no memory for a list of its mappings");
	}
	if (!r)
		deputy_late_serve(d);
	return r;
}

static void on_all(struct deputy *d)
{
	d->late = DEPUTY_LATE_DONE;
	pages_reader_done(&d->urgent);
	pages_reader_done(&d->reader);
	if (d->ops->filled)
		d->ops->filled(d->owner, clock_boot_us() - d->filling_since_us);
}

/* in pieces, for it may go over several mappings */
static int add_fetch(struct deputy *d, struct pages_reader *to, uint64_t at, uint64_t end)
{
	while (at < end) {
		const struct image_mapping *v = mapping_of(&d->stub.before, at);
		uint64_t stop = v && v->end < end ? v->end : end;

		if (!v || !is_late(v))
			return -EPROTO;
		if (pages_add(to, at, stop, which(v)) < 0)
			return -ENOMEM;
		at = stop;
	}
	return 0;
}

int deputy_take_fetch(struct deputy *d, const struct move_frame *f, struct err *e)
{
	struct {
		uint64_t at;
		uint32_t n, urgent;
	} p;
	struct pages_reader *to;
	int r;

	memcpy(&p, f->payload, sizeof(p)); /* wire/move.h: it is that long */
	if (d->late != DEPUTY_LATE_YES)
		return err_set(e, -EPROTO, "pages are wanted that are not here");
	if (!p.n) {
		on_all(d);
		return 0;
	}
	to = p.urgent ? &d->urgent : &d->reader;
	if (p.at % MOVE_PAGE || p.at >= IMAGE_TOP || p.n > MOVE_PAGES_MAX ||
	    to->n_ranges - to->range > FETCHES_MAX + d->stub.before.n_mappings)
		return err_set(e, -EPROTO, "pages are wanted that cannot be");
	r = add_fetch(d, to, p.at, p.at + (uint64_t)p.n * MOVE_PAGE);
	if (r < 0)
		return err_set(e, r, "fetch %u pages at %#llx: %s", p.n, (unsigned long long)p.at,
			       r == -EPROTO ? "none are there" : strerror(-r));
	deputy_late_serve(d);
	return 0;
}
