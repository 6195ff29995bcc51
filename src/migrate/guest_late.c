/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guest_late.c - the pages that follow after the move: fetched when they are missed, or before
 *
 * Theory of operation. Home says LATE early, and we make a userfaultfd that tells of missing pages
 * (tracee/dirty.h, fill.h). The last PAGES frames before RUN name what is late (late.h). From BUILT
 * on every page that is not there makes who touches it wait, and us hear of it:
 *
 *	a late page	FETCH, at once, with a few that follow it; its answer fills it
 *	any other	zeroes, and more of them if it goes on so
 *
 * Meanwhile the rest is fetched in the order of prefetch.h, never more at a time than its window.
 * When nothing is late any more, home is told by a FETCH of no pages. Missing pages are told of
 * until the process goes home.
 *
 * What the program does to its mappings comes as events, which are taken before faults: dropped
 * places are remembered as pages that we had, for home still has their old content and has to hear
 * that they are zeroes; moved ones are named anew (dirty_name_again()), for home has something else
 * there. New mappings are nothing of ours.
 *
 * The agent must never touch a missing page itself, since nobody else could fill it: guest_reach()
 * comes before. Where memory is just being given back that is not enough: guest_memory.c.
 *
 * On the way home nothing more is fetched but what is missed. What is late then has never left, and
 * stays where it is; only what the program has moved has to come first (guest_late_hold()).
 */
#include <errno.h>
#include <linux/userfaultfd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "log/log.h"
#include "migrate/guest.h"
#include "migrate/region.h"
#include "os/clock.h"
#include "tracee/fill.h"

#define FAULT_PAGES  8	 /* fetched with the one that was missed */
#define ZEROES_MOST  512 /* pages given in one go to a program that walks through fresh memory */
#define EVENTS	     32
#define EVENTS_TURNS 8
#define SOON_MS	     1
#define INSNS_BYTES  16	      /* behind which a thread was stopped, and 2 more: interrupted.c */
#define UNSTEADY_US  10000000 /* a thread that gives memory back may be kept from its CPU for long */

static void pump(struct guest *g);
static void go_on(struct guest *g);
static void try_soon(struct guest *g);

/* ----------------------------------------------------------------- asking */

static void ask(struct guest *g, uint64_t at, uint64_t n, bool urgent)
{
	struct guest_late *l = &g->lacks;
	struct {
		uint64_t at;
		uint32_t n, urgent;
	} fetch = { late_home(&l->table, at), (uint32_t)n, urgent };

	if (late_ask(&l->table, at, n) < 0) {
		guest_fail(g, -ENOMEM, "no memory to keep in mind which pages were asked for");
		return;
	}
	if (l->n_fetches < GUEST_FETCHES_MAX) {
		l->fetches[l->n_fetches++] = (struct guest_fetch){ at, n, clock_boot_us(), urgent };
		l->in_flight += urgent ? 0 : (uint32_t)n;
	}
	guest_send(g, MOVE_FETCH, &fetch, sizeof(fetch), NULL, 0);
}

/* all in [at, end) that was not asked for yet */
static void ask_all(struct guest *g, uint64_t at, uint64_t end)
{
	uint64_t n;

	while (late_next_unasked(&g->lacks.table, at, end, &at, &n)) {
		n = n < MOVE_PAGES_MAX ? n : MOVE_PAGES_MAX;
		ask(g, at, n, true);
		at += n * MOVE_PAGE;
	}
}

/* what was asked for in [start, end) may have come, or is not wanted any more */
static void settle(struct guest *g, uint64_t start, uint64_t end)
{
	struct guest_late *l = &g->lacks;
	uint64_t at, n, now = clock_boot_us();

	for (size_t i = 0; i < l->n_fetches;) {
		struct guest_fetch *f = &l->fetches[i];
		uint64_t f_end = f->at + f->n * MOVE_PAGE;

		if (f->at >= end || f_end <= start || late_next(&l->table, f->at, f_end, &at, &n)) {
			i++;
			continue;
		}
		if (f->urgent)
			prefetch_answered(&l->order, now - f->since_us);
		else
			l->in_flight -= (uint32_t)f->n;
		*f = l->fetches[--l->n_fetches];
	}
}

/* ----------------------------------------------------------------- waiting */

/* Zeroes for a hole, which may go over many mappings, of others too; Return: 0, -EAGAIN, -ESRCH */
static int fill_hole(struct guest *g, uint64_t at, uint64_t end)
{
	uint64_t n = (end - at) / MOVE_PAGE, done;
	int r = 0;

	while (at < end) {
		n = n < (end - at) / MOVE_PAGE ? n : (end - at) / MOVE_PAGE;
		r = fill_zero(g->dirty.uffd, at, n, &done);
		at += done * MOVE_PAGE;
		if (r == -EAGAIN || r == -ESRCH)
			return r;
		if (r < 0 && n > 1) {
			n = 1; /* more than one mapping */
		} else if (r < 0) {
			at += MOVE_PAGE; /* not ours: it has its zeroes from the kernel */
		}
	}
	return 0;
}

bool guest_reach(struct guest *g, uint64_t at, size_t n)
{
	struct guest_late *l = &g->lacks;
	uint64_t start = at & ~(uint64_t)(MOVE_PAGE - 1), end, told, pages;
	struct page_run runs[PAGES_RUNS];

	if (!l->on || !n || at >= IMAGE_TOP || n > IMAGE_TOP - at)
		return true;
	end = (at + n + MOVE_PAGE - 1) & ~(uint64_t)(MOVE_PAGE - 1);
	if (late_next(&l->table, start, end, &told, &pages))
		return false;
	for (told = start; start < end;) {
		ssize_t got = pages_scan(l->pagemap, &start, end, true, runs, PAGES_RUNS);

		if (got < 0)
			return true; /* it has ended: reading says so */
		for (ssize_t i = 0; i <= got; i++) {
			uint64_t gap = i < got ? runs[i].start : start;

			/* its mappings are being changed: an event says when that is over */
			if (gap > told && fill_hole(g, told, gap) == -EAGAIN)
				return false;
			told = i < got ? runs[i].start + runs[i].n * MOVE_PAGE : start;
		}
	}
	return true;
}

/* nothing that it waits for is late any more */
static bool is_ready(const struct guest_thread *t)
{
	uint64_t at, n;

	return t->late_go_on &&
	       !late_next(&t->guest->lacks.table, t->late_at, t->late_end, &at, &n);
}

void guest_wait_late(struct guest_thread *t, uint64_t at, size_t n,
		     void (*fn)(struct guest_thread *t))
{
	t->late_at = at & ~(uint64_t)(MOVE_PAGE - 1);
	t->late_end = (at + n + MOVE_PAGE - 1) & ~(uint64_t)(MOVE_PAGE - 1);
	t->late_go_on = fn;
	ask_all(t->guest, t->late_at, t->late_end);
	if (is_ready(t))
		try_soon(t->guest);
}

/* each of them once: who cannot be served while mappings change waits on, for try_soon() */
static void go_on_waiting(struct guest *g)
{
	for (size_t i = 0; i < g->n; i++) {
		struct guest_thread *t = g->threads[i];
		void (*fn)(struct guest_thread * t) = t->late_go_on;

		if (!is_ready(t))
			continue;
		t->late_go_on = NULL;
		fn(t);
	}
}

/* ----------------------------------------------------------------- filling */

/* nobody has to bring them any more, but home has something there that is no more */
static int forget(struct guest *g, uint64_t start, uint64_t end)
{
	struct late *l = &g->lacks.table;
	uint64_t at = start, n;
	int r = 0;

	while (!r && late_next(l, at, end, &at, &n)) {
		r = pageset_add(&g->dirty.known, at, n);
		at += n * MOVE_PAGE;
	}
	return r ? r : late_drop(l, start, end);
}

static int keep(struct guest *g, uint64_t at, uint64_t n, const uint8_t *bytes)
{
	size_t len = bytes ? (size_t)n * MOVE_PAGE : 0;
	struct guest_later *k = malloc(sizeof(*k) + len);

	if (!k)
		return -ENOMEM;
	*k = (struct guest_later){ .next = g->lacks.later, .at = at, .n = n, .zero = !bytes };
	if (bytes)
		memcpy(k->bytes, bytes, len);
	g->lacks.later = k;
	return 0;
}

/* pages that are late, all of them; bytes NULL: zeroes */
static int fill(struct guest *g, uint64_t at, uint64_t n, const uint8_t *bytes)
{
	struct guest_late *l = &g->lacks;
	bool same = late_home(&l->table, at) == at; /* else it is news for home in that place */
	uint64_t done;
	int r = bytes ? fill_copy(g->dirty.uffd, at, bytes, n, same, &done)
		      : fill_zero(g->dirty.uffd, at, n, &done),
	    k = 0;

	if (done)
		k = late_got(&l->table, at, done);
	if (!k && done)
		k = pageset_add(&g->dirty.known, at, done);
	if (k < 0)
		return k;
	fill_wake(g->dirty.uffd, at, n); /* of a page that was there already */
	at += done * MOVE_PAGE;
	n -= done;
	bytes = bytes ? bytes + done * MOVE_PAGE : NULL;
	if (r == -EAGAIN)
		return keep(g, at, n, bytes);
	if (r == -ENOENT && n == 1) /* not there any more */
		return forget(g, at, at + MOVE_PAGE);
	/* more than one mapping: page by page */
	for (uint64_t i = 0; r == -ENOENT && !k && i < n; i++)
		k = fill(g, at + i * MOVE_PAGE, 1, bytes ? bytes + i * MOVE_PAGE : NULL);
	return r == -ENOENT ? k : r == -ESRCH ? 0 : r;
}

/* of what home has sent, what is late */
static int put(struct guest *g, uint64_t at, uint64_t n, const uint8_t *bytes)
{
	uint64_t from = at, end = at + n * MOVE_PAGE, pages;
	int r = 0;

	while (!r && late_next(&g->lacks.table, from, end, &from, &pages)) {
		r = fill(g, from, pages, bytes ? bytes + (from - at) : NULL);
		from += pages * MOVE_PAGE;
	}
	return r;
}

static int take(struct guest *g, const struct pages_frame *p)
{
	struct late *l = &g->lacks.table;
	uint64_t done = 0, at, skip, n;
	int r = 0;

	while (!r && done < p->n &&
	       late_place(l, p->at + done * MOVE_PAGE, p->n - done, &at, &skip, &n)) {
		done += skip;
		if (p->kind == PAGES_ABSENT) {
			r = late_drop(l, at, at + n * MOVE_PAGE);
			fill_wake(g->dirty.uffd, at, n);
		} else {
			r = put(g, at, n,
				p->kind == PAGES_BYTES ? p->bytes + done * MOVE_PAGE : NULL);
		}
		settle(g, at, at + n * MOVE_PAGE);
		done += n;
	}
	return r;
}

int guest_late_take(struct guest *g, const struct move_frame *f, struct err *e)
{
	struct pages_frame p;
	int r = pages_parse(f, &p, e);

	if (r < 0)
		return r;
	if (!g->lacks.on || p.kind == PAGES_LATE)
		return err_set(e, -EPROTO, "pages that nobody waits for");
	if (g->state >= GUEST_LEAVING)
		return 0; /* they stay where they are */
	r = take(g, &p);
	if (r < 0)
		return err_set(e, r, "put %u pages in at %#llx: %s", p.n, (unsigned long long)p.at,
			       strerror(-r));
	go_on(g);
	if (g->state == GUEST_FREEZING)
		guest_frozen(g);
	return 0;
}

/* ------------------------------------------------------------------ events */

/* a page that nobody has: zeroes, more and more of them for one who walks */
static void give_zeroes(struct guest *g, uint64_t at)
{
	struct guest_late *l = &g->lacks;
	uint64_t n, next, pages, done;
	int r;

	l->zero_pages = at == l->zero_end && l->zero_pages < ZEROES_MOST ? l->zero_pages * 2 : 1;
	n = l->zero_pages;
	if (late_next(&l->table, at, at + n * MOVE_PAGE, &next, &pages))
		n = (next - at) / MOVE_PAGE;
	r = fill_zero(g->dirty.uffd, at, n, &done);
	if (!done && n > 1) /* the mapping ends before */
		r = fill_zero(g->dirty.uffd, at, 1, &done);
	l->zero_end = at + done * MOVE_PAGE;
	if (r < 0)
		log_debug("no zeroes at %#llx: %s", (unsigned long long)at, strerror(-r));
	fill_wake(g->dirty.uffd, at, 1); /* if that was nothing, it comes again */
}

static void on_fault(struct guest *g, uint64_t at)
{
	struct guest_late *l = &g->lacks;
	uint64_t start, n;

	if (!late_next(&l->table, at, at + MOVE_PAGE, &start, &n)) {
		give_zeroes(g, at);
		return;
	}
	l->n_faults++;
	prefetch_fault(&l->order, at);
	if (!late_next_unasked(&l->table, at, at + MOVE_PAGE, &start, &n))
		return; /* it is on its way */
	if (late_next_unasked(&l->table, at, at + FAULT_PAGES * MOVE_PAGE, &start, &n))
		ask(g, start, n, true);
}

bool guest_is_unsteady(const struct guest *g, uint64_t at, size_t n)
{
	uint64_t now = clock_boot_us();

	for (size_t i = 0; g->lacks.on && i < GUEST_UNSTEADY; i++) {
		const struct guest_unsteady *u = &g->lacks.unsteady[i];

		if (u->until_us > now && at < u->end && at + n > u->start)
			return true;
	}
	return false;
}

/* in the place of one that is steady by now; there is none: the last one is as wide as both */
static void note_unsteady(struct guest *g, uint64_t start, uint64_t end)
{
	struct guest_unsteady *u = &g->lacks.unsteady[g->lacks.last_unsteady];
	uint64_t now = clock_boot_us();

	for (size_t i = 0; i < GUEST_UNSTEADY; i++) {
		struct guest_unsteady *v = &g->lacks.unsteady[i];

		if (v->until_us > now && (v->start != start || v->end != end))
			continue;
		*v = (struct guest_unsteady){ start, end, now + UNSTEADY_US };
		g->lacks.last_unsteady = i;
		return;
	}
	u->start = start < u->start ? start : u->start;
	u->end = end > u->end ? end : u->end;
	u->until_us = now + UNSTEADY_US;
}

static int on_change(struct guest *g, const struct fill_event *ev)
{
	uint64_t size = ev->end - ev->at;
	int r = 0;

	if (ev->kind == FILL_REMOVED) {
		note_unsteady(g, ev->at, ev->end);
		r = forget(g, ev->at, ev->end);
		settle(g, ev->at, ev->end);
		return r;
	}
	/* in both places home has something that is not there now */
	r = pageset_add(&g->dirty.known, ev->at, size / MOVE_PAGE);
	if (!r)
		r = forget(g, ev->to, ev->to + size);
	if (!r)
		r = late_move(&g->lacks.table, ev->at, ev->end, ev->to);
	if (!r)
		r = dirty_name_again(&g->dirty, ev->to, ev->to + size);
	settle(g, ev->at, ev->end);
	settle(g, ev->to, ev->to + size);
	return r;
}

/* what the kernel could not take is tried once more: the event that was in the way is read */
static int try_later(struct guest *g)
{
	struct guest_later *k = g->lacks.later, *next;
	int r = 0;

	g->lacks.later = NULL;
	for (; k; k = next) {
		next = k->next;
		if (!r)
			r = put(g, k->at, k->n, k->zero ? NULL : k->bytes);
		settle(g, k->at, k->at + k->n * MOVE_PAGE);
		free(k);
	}
	return r;
}

static void go_on(struct guest *g)
{
	int r = try_later(g);

	if (r < 0 && r != -ESRCH) {
		guest_fail(g, r, "its missing pages cannot be told any more");
		return;
	}
	go_on_waiting(g);
	pump(g);
	if (g->lacks.later)
		try_soon(g);
}

static void on_soon(void *owner)
{
	struct guest *g = owner;

	g->lacks.soon_ref = (struct ev_ref){ 0 };
	if (g->state >= GUEST_LEAVING)
		return;
	go_on(g);
	if (g->state == GUEST_FREEZING)
		guest_frozen(g);
}

/*
 * The kernel takes no page while a thread changes its mappings, also after we have read the event of
 * that, until the thread has gone on; and that nobody tells.
 */
static void try_soon(struct guest *g)
{
	if (!g->lacks.soon_ref.gen && loop_add_timer(g->loop, loop_now(g->loop) + SOON_MS, on_soon,
						     g, &g->lacks.soon_ref) < 0)
		guest_fail(g, -ENOMEM, "no memory for a timer");
}

static int read_events(struct guest *g, uint64_t *faults, size_t *ret_n)
{
	struct fill_event events[EVENTS];
	ssize_t n = fill_read(g->dirty.uffd, events, ARRAY_LEN(events));
	int r = n < 0 ? (int)n : 0;

	*ret_n = 0;
	for (ssize_t i = 0; !r && i < n; i++) {
		if (events[i].kind == FILL_FAULT)
			faults[(*ret_n)++] = events[i].at;
		else
			r = on_change(g, &events[i]);
	}
	return r < 0 ? r : n > 0;
}

static void on_uffd(void *owner, uint32_t epoll_events)
{
	struct guest *g = owner;
	uint64_t faults[EVENTS];
	size_t n;
	int r = 1;

	(void)epoll_events;
	if (g->state >= GUEST_LEAVING)
		return;
	for (int i = 0; r > 0 && i < EVENTS_TURNS; i++) {
		r = read_events(g, faults, &n);
		for (size_t k = 0; r > 0 && k < n; k++)
			on_fault(g, faults[k]);
	}
	if (r < 0 && r != -ESRCH)
		guest_fail(g, r, "its missing pages cannot be told any more");
	else
		go_on(g);
}

/* ------------------------------------------------------------------ stages */

/* what came before was for nothing: everything is empty again. Not while events are asked for */
static int empty(struct guest *g, struct err *e)
{
	struct image nothing = { 0 };
	int r = build_change(&g->build, &g->image, &nothing, e);

	return r < 0 ? r : build_change(&g->build, &nothing, &g->image, e);
}

/* Return: 0, or why its pages cannot come late; nothing was changed then */
static int prepare(struct guest *g, struct err *e)
{
	uint64_t batch = g->image.parasite + REGION_BATCH, insn, at, n;
	struct dirty dirty;
	int r = tracee_find_syscall(g->build.pid, batch, batch + BATCH_CODE_BYTES, &insn);

	dirty_init(&dirty);
	if (!r)
		r = build_no_huge(&g->build, e);
	if (!r)
		r = dirty_begin_fill(&dirty, g->build.pid, g->build.pid, insn, g->build.fill_dev,
				     e);
	if (r < 0)
		return r;
	if (pageset_next(&g->dirty.known, 0, IMAGE_TOP, &at, &n))
		r = empty(g, e);
	dirty_end(&g->dirty);
	g->dirty = dirty;
	g->untracked = false;
	g->lacks.prepared = true;
	if (r < 0)
		guest_fail(g, r, e->text);
	return 0;
}

int guest_late_prepare(struct guest *g, const struct move_frame *f, struct err *e)
{
	struct err why = { 0 };
	uint32_t answer;
	int r;

	(void)f;
	if (!g->build.pid || g->lacks.prepared)
		return err_set(e, -EPROTO, "LATE when it is too late");
	r = prepare(g, &why);
	if (r < 0)
		log_info("its pages cannot come late: %s", why.code ? why.text : strerror(-r));
	answer = (uint32_t)-r;
	guest_send(g, MOVE_LATE, &answer, sizeof(answer), NULL, 0);
	return 0;
}

int guest_late_add(struct guest *g, const struct pages_frame *p, struct err *e)
{
	uint64_t end = p->at + (uint64_t)p->n * MOVE_PAGE;
	int r;

	if (!g->lacks.prepared)
		return err_set(e, -EPROTO, "late pages without LATE");
	r = late_add(&g->lacks.table, p->at, end);
	return r < 0 ? err_set(e, r, "keep in mind which pages are late: %s", strerror(-r)) : 0;
}

/* what came before RUN is not late; nor is anything in our own region */
static int take_note(struct guest *g)
{
	struct late *l = &g->lacks.table;
	uint64_t at = 0, n;
	int r = late_drop(l, g->image.parasite, g->image.parasite + g->image.parasite_size);

	while (!r && pageset_next(&g->dirty.known, at, IMAGE_TOP, &at, &n)) {
		r = late_got(l, at, n);
		at += n * MOVE_PAGE;
	}
	return r;
}

/* nobody is told of a late page in whose place there is one: it would be lost */
static int check_missing(struct guest *g, struct err *e)
{
	struct page_run runs[1];
	uint64_t at = 0, from, n;

	while (late_next(&g->lacks.table, at, IMAGE_TOP, &at, &n)) {
		for (from = at, at += n * MOVE_PAGE; from < at;) {
			ssize_t got = pages_scan(g->lacks.pagemap, &from, at, true, runs, 1);

			if (got < 0)
				return err_set(e, (int)got, "look for pages: %s",
					       strerror((int)-got));
			if (got)
				return err_set(e, -EIO,
					       "%llu pages at %#llx are there and should be missed",
					       (unsigned long long)runs[0].n,
					       (unsigned long long)runs[0].start);
		}
	}
	return 0;
}

int guest_late_start(struct guest *g, struct err *e)
{
	struct uffdio_range region = { g->image.parasite, g->image.parasite_size };
	struct guest_late *l = &g->lacks;
	int r = take_note(g);

	prefetch_init(&l->order);
	if (r < 0)
		return err_set(e, r, "keep in mind which pages are late: %s", strerror(-r));
	r = dirty_enroll(&g->dirty, true, e);
	if (!r && ioctl(g->dirty.uffd, UFFDIO_UNREGISTER, &region) < 0)
		r = err_set(e, -errno, "leave our region alone: %s", strerror(errno));
	g->dirty.closed = true;
	if (!r)
		r = guest_track(g, e);
	if (r < 0)
		return r;
	l->pagemap = pages_open_pagemap(g->build.pid);
	if (l->pagemap < 0)
		return err_set(e, l->pagemap, "open its pagemap: %s", strerror(-l->pagemap));
	r = check_missing(g, e);
	if (r < 0)
		return r;
	l->on = true;
	return loop_add_fd(g->loop, g->dirty.uffd, EPOLLIN, on_uffd, g, &l->ref);
}

/* as much ahead as the window takes */
static void pump(struct guest *g)
{
	struct guest_late *l = &g->lacks;
	static const uint8_t nothing[16];
	uint64_t at, n;

	if (!l->on || l->done || g->state != GUEST_RUNNING || g->copying)
		return;
	while (l->in_flight < l->order.window && l->n_fetches < GUEST_FETCHES_MAX / 2) {
		if (!prefetch_next(&l->order, &l->table, &at, &n))
			break;
		ask(g, at, n, false);
	}
	if (l->n_fetches || l->later || late_next(&l->table, 0, IMAGE_TOP, &at, &n))
		return;
	l->done = true;
	g->dirty.closed = false; /* nothing is filled in any more */
	guest_send(g, MOVE_FETCH, nothing, sizeof(nothing), NULL, 0);
	log_info("all of its memory is here, after %llu ms; it had to wait for %llu pages",
		 (unsigned long long)(clock_boot_us() - l->began_us) / 1000,
		 (unsigned long long)l->n_faults);
}

void guest_late_run(struct guest *g)
{
	g->lacks.began_us = clock_boot_us();
	pump(g);
}

/* Return: true: it is late, and asked for */
static bool is_awaited(struct guest *g, uint64_t at, size_t n)
{
	uint64_t last = at + n - 1;

	if (guest_reach(g, at, n))
		return false;
	ask_all(g, at & ~(uint64_t)(MOVE_PAGE - 1), (last | (MOVE_PAGE - 1)) + 1);
	try_soon(g);
	return true;
}

/*
 * What is read of a stopped thread before calls are injected into it: its last instructions, and the
 * restartable sequence that it may be in (tracee_leave_rseq())
 */
static bool lacks_state(struct guest *g, pid_t tid)
{
	struct user_regs_struct regs;
	struct tracee_rseq_cs cs;
	struct tracee_rseq q;
	uint64_t at;

	if (tracee_get_regs(tid, &regs) < 0 || tracee_get_rseq(tid, &q) < 0)
		return false; /* it was killed */
	if (is_awaited(g, regs.rip - INSNS_BYTES, INSNS_BYTES + 2))
		return true;
	if (!q.address)
		return false;
	if (is_awaited(g, q.address + TRACEE_RSEQ_CS_AT, sizeof(at)))
		return true;
	if (tracee_read(tid, q.address + TRACEE_RSEQ_CS_AT, &at, sizeof(at)) < 0 || !at)
		return false;
	if (is_awaited(g, at, sizeof(cs)))
		return true;
	return tracee_read(tid, at, &cs, sizeof(cs)) == 0 &&
	       is_awaited(g, cs.abort - sizeof(q.signature), sizeof(q.signature));
}

bool guest_late_hold(struct guest *g)
{
	struct late *l = &g->lacks.table;
	uint64_t at = 0, n;
	bool any = false;

	for (size_t i = 0; g->lacks.on && i < g->n; i++)
		any |= lacks_state(g, g->threads[i]->tid);

	while (g->lacks.on && late_next_displaced(l, at, &at, &n)) {
		ask_all(g, at, at + n * MOVE_PAGE);
		at += n * MOVE_PAGE;
		any = true;
	}
	return any;
}
