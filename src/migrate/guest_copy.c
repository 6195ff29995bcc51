/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guest_copy.c - which pages were written here, and the way home of most of them while it runs
 *
 * Theory of operation. The process is tracked (tracee/dirty.h) from when its mappings are there and
 * empty: pages that come are made write-protected (pages_write.c). What a later round writes once
 * more is protected anew by a round of ours at its end, that nobody is told of but the set of known
 * pages. So at the end just what it writes here, and what the last round wrote, is to go back.
 *
 * At RECALL it runs on, while rounds go home as they came. Only what the stub has mapped can be
 * written there now: the mappings of the arrival. What was mapped since goes with the image, when it
 * is frozen, and so does a place that was unmapped in between. A thread that can go on at home only
 * is not kept waiting for rounds; nor is there one for what came by post-copy (guest_late.c).
 */
#include <errno.h>

#include "log/log.h"
#include "migrate/guest.h"
#include "migrate/region.h"

#define ROUNDS_MAX  12 /* as in deputy_copy.c */
#define STALLS_MAX  2
#define SMALL_PAGES 256 /* 1 MiB */

/* a round of which nothing has to be told */
static int swallow(struct guest *g, struct err *e)
{
	struct dirty_run runs[PAGES_RUNS];
	ssize_t n;
	int r = dirty_round(&g->dirty, false, e);

	if (r < 0)
		return r;
	while ((n = dirty_next(&g->dirty, runs, PAGES_RUNS)) > 0)
		;
	return n < 0 ? err_set(e, (int)n, "track its pages: %s", strerror((int)-n)) : 0;
}

static void begin(struct guest *g)
{
	uint64_t batch = g->image.parasite + REGION_BATCH, insn;
	struct err why = { 0 };
	int r;

	/* the code of batches has one */
	r = tracee_find_syscall(g->build.pid, batch, batch + BATCH_CODE_BYTES, &insn);
	if (!r)
		r = dirty_begin(&g->dirty, g->build.pid, g->build.pid, insn, &why);
	g->untracked = r < 0;
	if (r < 0)
		log_info("all of its memory will go home again: %s", why.text);
}

int guest_track_early(struct guest *g, struct err *e)
{
	begin(g);
	return g->untracked ? 0 : dirty_enroll(&g->dirty, false, e);
}

int guest_track(struct guest *g, struct err *e)
{
	return g->untracked ? 0 : swallow(g, e);
}

int guest_take_arrived(struct guest *g, struct err *e)
{
	int r;

	if (!g->build.pid)
		return err_set(e, -EPROTO, "a round before the image");
	r = g->lacks.prepared ? 0 : guest_track(g, e);
	if (!r)
		guest_send(g, MOVE_ROUND, NULL, 0, NULL, 0);
	return r;
}

/* ---------------------------------------------------------------- way home */

static bool is_awaited(const struct guest *g)
{
	for (size_t i = 0; i < g->n; i++)
		if (g->threads[i]->state == THREAD_HOMEWARD ||
		    g->threads[i]->state == THREAD_FROZEN)
			return true;
	return false;
}

static int start_round(struct guest *g, bool whole, struct err *e)
{
	int r = dirty_round(&g->dirty, false, e);

	if (!r && whole && pages_add_all(&g->reader, &g->image) < 0)
		r = err_set(e, -ENOMEM, "no memory for a list of its mappings");
	if (r < 0)
		return r;
	g->round_is_sent = false;
	g->rounds++;
	g->round_began = g->reader.pages;
	g->reader.polite = true;
	pages_add_round(&g->reader, &g->dirty, &g->image);
	g->reader.held = guest_held_back;
	g->reader.owner = g;
	guest_copy_on(g);
	return 0;
}

void guest_copy_on(struct guest *g)
{
	struct err e = { 0 };
	int r;

	if (!g->copying || g->round_is_sent || g->state != GUEST_RUNNING)
		return;
	r = pages_send(&g->reader, g->channel, &e);
	if (r == -ESRCH || r == 0)
		return; /* it has ended: told by its end */
	if (r < 0) {
		guest_fail(g, r, e.text);
		return;
	}
	g->round_is_sent = true;
	guest_send(g, MOVE_ROUND, NULL, 0, NULL, 0);
}

static void stop_copying(struct guest *g)
{
	g->copying = false;
	g->reader.polite = false;
	guest_freeze(g);
}

/* Not read: it has just ended, which is told by its end; or it goes on here without an image */
static int not_copied(struct guest *g, int r, const struct err *e)
{
	struct proc_stat st;

	if (r == 0)
		return 0;
	if (g->checkpoint) {
		g->copying = false;
		guest_not_kept(g, e->text);
		return 0;
	}
	if (proc_stat_read(g->build.pid, &st, NULL) < 0 || st.state == 'Z' || st.state == 'X')
		return 0;
	return r;
}

int guest_copy_home(struct guest *g, bool whole, struct err *e)
{
	int r;

	g->rounds = g->stalls = 0;
	if (whole && is_awaited(g)) {
		guest_not_kept(g, "a thread of it waits to go home");
		return 0;
	}
	/* what came by post-copy misses pages: who reads one that it has just given back waits for himself */
	if (g->untracked || is_awaited(g) || g->lacks.on) {
		guest_freeze(g);
		return 0;
	}
	r = pages_reader_open(&g->reader, g->build.pid, g->image.parasite,
			      g->image.parasite + g->image.parasite_size, e);
	g->copying = true;
	if (!r)
		r = start_round(g, whole, e);
	return not_copied(g, r, e);
}

int guest_take_copied(struct guest *g, struct err *e)
{
	uint64_t pages = g->reader.pages - g->round_began;
	int r = 0;

	if (!g->copying || !g->round_is_sent)
		return err_set(e, -EPROTO, "the end of a round that goes on");
	g->stalls += g->rounds > 1 && pages >= g->round_pages;
	if (pages <= SMALL_PAGES || g->rounds == ROUNDS_MAX || is_awaited(g) ||
	    g->stalls == STALLS_MAX) {
		stop_copying(g);
		return 0;
	}
	g->round_pages = pages;
	r = start_round(g, false, e);
	return not_copied(g, r, e);
}

/* what no round has brought home; a few pages */
static int add_held_back(struct guest *g)
{
	uint64_t at = 0, n;
	int r = 0;

	for (; !r && pageset_next(&g->held_back, at, IMAGE_TOP, &at, &n); at += MOVE_PAGE) {
		const struct image_mapping *v = image_at(&g->image, at);

		if (v && !(v->flags & (IMAGE_MAP_SHARED | IMAGE_MAP_BEYOND)))
			r = pages_add(&g->reader, at, at + MOVE_PAGE, PAGES_AND_GAPS);
	}
	pageset_done(&g->held_back);
	return r;
}

int guest_copy_last(struct guest *g, struct err *e)
{
	uint64_t start = g->arrived.parasite, size = g->arrived.parasite_size;
	int r = pages_reader_open(&g->reader, g->build.pid, start, start + size, e);

	if (r < 0)
		return r;
	if (g->untracked) {
		r = pages_add_all(&g->reader, &g->image);
	} else {
		r = pages_add_new(&g->reader, &g->arrived, &g->image, IMAGE_BY_PLACE, false);
		if (!r)
			r = add_held_back(g);
		if (!r)
			r = guest_files_leave(g, &g->image);
		if (!r)
			r = pages_add_shared(&g->reader, &g->image, true);
		pages_add_round(&g->reader, &g->dirty, &g->arrived);
	}
	return r < 0 ? err_set(e, r, "no memory for a list of its mappings") : 0;
}
