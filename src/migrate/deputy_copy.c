/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * deputy_copy.c - memory goes out while the process runs
 *
 * Theory of operation. The process is stopped for a moment, to make a userfaultfd in it that tells
 * which pages are written (tracee/dirty.h), and runs on. Then, in rounds: if its mappings are not
 * those that were sent last, an image with the new ones; the pages that are new or were written since
 * the round before; ROUND. The host says ROUND when it has them all, so that nothing waits in a
 * queue when the next one begins, or when the process is stopped for good.
 *
 * It is stopped when a round was small, or two were not smaller than the one before (it writes faster
 * than the network is; one may have met a busy moment of a machine), or ROUNDS_MAX were made. Then
 * the same once more: image, pages, end. Should there be too much to send while it stands still, its
 * memory follows after it instead (deputy_late.c), all of it: what was sent is forgotten.
 *
 * Mappings of image and round are from one reading of /proc/PID/maps. Both ends compare it with
 * the image before it, and what is new is empty at the host: so everything in it is sent with that
 * round, also what was sent already because the mapping was made in the middle of the round before.
 *
 * Nothing is mapped into the process while it runs. Where our region will be is chosen, in the
 * widest hole; should the program take that place meanwhile, the move is given up.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "log/log.h"
#include "migrate/capture.h"
#include "migrate/cpu.h"
#include "migrate/deputy.h"
#include "migrate/ends.h"
#include "migrate/region.h"
#include "tracee/maps.h"

#define ROUNDS_MAX   12
#define STALLS_MAX   2
#define SMALL_PAGES  256  /* 1 MiB */
#define FOLLOW_PAGES 8192 /* 32 MiB: a quarter of a second on a Gigabit network */
#define REGION_ALIGN (2ULL << 20)
#define LOWEST	     (1ULL << 20) /* never below, whatever is free there */

/* the middle of the widest hole: nobody asks for that place, and nothing grows up to there */
static int choose_region(const struct image *m, uint64_t *ret, struct err *e)
{
	uint64_t from = LOWEST, widest = 0;

	for (size_t i = 0; i <= m->n_mappings; i++) {
		bool last = i == m->n_mappings || m->mappings[i].flags & IMAGE_MAP_VSYSCALL;
		uint64_t to = last ? IMAGE_TOP - IMAGE_PAGE : m->mappings[i].start;

		if (to > from && to - from > widest) {
			widest = to - from;
			*ret = (from + (widest - REGION_BYTES) / 2) & ~(REGION_ALIGN - 1);
		}
		if (last)
			break;
		from = m->mappings[i].end > from ? m->mappings[i].end : from;
	}
	return widest < REGION_BYTES + 2 * REGION_ALIGN
		       ? err_set(e, -ENOMEM, "it has no room for our region in its memory")
		       : 0;
}

/* what an image must have, and is known before it is stopped for good */
static int outline(struct deputy *d, struct err *e)
{
	struct image *m = &d->early;
	pid_t tids[IMAGE_THREADS_MAX];
	struct proc_stat st;
	int r;

	for (size_t i = 0; i < d->stub.n; i++)
		tids[i] = d->stub.threads[i]->tid;
	r = capture_threads(tids, d->stub.n, CAPTURE_HOME, m, e);
	if (!r)
		r = proc_stat_read(d->pid, &st, e);
	if (r < 0)
		return r;
	m->xcr0 = cpu_xcr0();
	m->pid = (uint32_t)d->pid;
	m->uid = st.uid[0];
	m->gid = st.gid[0];
	return 0;
}

/* the only stop before the last one; late pages need no tracking */
static int begin_tracking(struct deputy *d, struct err *e)
{
	bool track = !d->late;
	struct err why = { 0 };
	uint64_t insn;
	int r = deputy_seize(d, e), k;

	if (r < 0)
		return r;
	r = outline(d, e);
	k = r < 0 ? r : tracee_find_syscall(d->pid, 0, 0, &insn);
	if (k == 0 && track)
		k = dirty_begin(&d->dirty, d->pid, d->pid, insn, &why);
	stub_release(&d->stub);
	stub_init(&d->stub, d->loop, &deputy_stub_ops, d);
	if (r < 0)
		return r;
	d->tracking = track && k == 0;
	if (track && !d->tracking)
		log_info("its memory is sent after it is stopped: %s",
			 why.code ? why.text : strerror(-k));
	return 0;
}

/* Return: 0, or -errno and the reason */
static int put_image(struct deputy *d, struct err *e)
{
	int r = image_check(&d->early, e);

	if (!r) {
		r = image_put(&d->image_bytes, &d->early);
		if (r < 0)
			(void)err_set(e, r, "write its image: %s", strerror(-r));
	}
	d->image_is_sent = false;
	return r;
}

static bool same_mappings(const struct image *a, const struct image *b)
{
	return a->n_mappings == b->n_mappings &&
	       !memcmp(a->mappings, b->mappings, a->n_mappings * sizeof(*a->mappings));
}

/* the mappings of this round into d->early, those of the round before into d->was */
static int take_mappings(struct deputy *d, struct err *e)
{
	struct image_mapping *mappings = d->was.mappings;
	int r;

	/* each has an array of its own; they change places */
	d->was.mappings = d->early.mappings;
	d->was.n_mappings = d->early.n_mappings;
	d->early.mappings = mappings;
	r = capture_mappings(&d->dirty.maps, d->early.parasite,
			     d->early.parasite + d->early.parasite_size,
			     d->rounds ? &d->was : &d->flags, &d->early, e);
	deputy_files_mark(d, &d->early);
	return r < 0 ? r : ends_mark(d->pid, &d->early, e);
}

static int start_round(struct deputy *d, struct err *e)
{
	int r = dirty_round(&d->dirty, false, e);

	if (!r)
		r = take_mappings(d, e);
	/* what was read after an exec is of another program than what was sent */
	if (!r && deputy_began_anew(d, 0))
		r = err_set(e, -ESRCH, "it has begun another program");
	if (!r && !d->early.parasite) {
		r = choose_region(&d->early, &d->early.parasite, e);
		d->early.parasite_size = REGION_BYTES;
	}
	d->image_is_sent = true;
	if (!r && !same_mappings(&d->was, &d->early))
		r = put_image(d, e);
	if (!r && pages_add_new(&d->reader, &d->was, &d->early, IMAGE_BY_FILE, d->rounds == 0) < 0)
		r = err_set(e, -ENOMEM, "no memory for a list of its mappings");
	pages_add_round(&d->reader, &d->dirty, &d->early);
	d->rounds++;
	d->round_began = d->reader.pages;
	return r;
}

static void tell(const struct deputy *d, const char *text)
{
	if (d->ops->note)
		d->ops->note(d->owner, text);
}

/* no pages, but all that takes the host some time */
static int start_late(struct deputy *d, struct err *e)
{
	int r = capture_maps(d->pid, 0, 0, NULL, &d->flags, e);

	if (!r)
		r = capture_maps(d->pid, 0, 0, &d->flags, &d->early, e);
	if (!r)
		r = choose_region(&d->early, &d->early.parasite, e);
	d->early.parasite_size = REGION_BYTES;
	deputy_files_mark(d, &d->early);
	if (!r)
		r = ends_mark(d->pid, &d->early, e);
	return r < 0 ? r : put_image(d, e);
}

/* the host cannot have pages late: from the beginning */
static int start_again(struct deputy *d, struct err *e)
{
	uint64_t region = d->early.parasite; /* is there already */

	image_done(&d->early);
	image_init(&d->early);
	image_done(&d->flags);
	image_init(&d->flags);
	d->early.parasite = region;
	d->early.parasite_size = REGION_BYTES;
	d->late = DEPUTY_LATE_NO;
	return deputy_copy_start(d, e);
}

int deputy_copy_start(struct deputy *d, struct err *e)
{
	int r;

	if (deputy_stops_first(d))
		return 0;
	if (d->late && d->checkpoint) {
		d->late = DEPUTY_LATE_NO;
		tell(d, "its memory goes before it, for images of it are to be kept");
	}
	r = begin_tracking(d, e);

	if (!r && d->late) {
		r = pages_reader_open(&d->reader, d->pid, 0, 0, e);
		return r < 0 ? r : start_late(d, e);
	}

	if (!r && d->tracking)
		r = capture_maps(d->pid, 0, 0, NULL, &d->flags, e);
	if (!r && d->tracking)
		r = pages_reader_open(&d->reader, d->pid, 0, 0, e);
	return r < 0 || !d->tracking ? r : start_round(d, e);
}

int deputy_copy_next(struct deputy *d, bool *ret_enough, struct err *e)
{
	uint64_t pages = d->reader.pages - d->round_began;

	*ret_enough = d->late == DEPUTY_LATE_YES || (d->tracking && d->late_refused);
	if (*ret_enough)
		return 0;
	if (!d->tracking)
		return start_again(d, e);
	d->stalls += d->rounds > 1 && pages >= d->round_pages;
	*ret_enough = pages <= SMALL_PAGES || d->rounds == ROUNDS_MAX || d->stalls == STALLS_MAX;
	d->round_pages = pages;
	log_debug("round %u: %llu pages", d->rounds, (unsigned long long)pages);
	if (*ret_enough && pages > FOLLOW_PAGES && !d->checkpoint) {
		*ret_enough = false;
		d->late = DEPUTY_LATE_WANTED;
		tell(d, "it writes faster than the network is: its memory follows it");
		return 0;
	}
	return *ret_enough ? 0 : start_round(d, e);
}

int deputy_copy_last(struct deputy *d, struct err *e)
{
	int r = pages_reader_open(&d->reader, d->pid, d->stub.region, d->stub.region + REGION_BYTES,
				  e);

	d->round_began = d->reader.pages;
	if (!r && d->late)
		return deputy_late_last(d) < 0
			       ? err_set(e, -ENOMEM, "no memory for a list of its pages")
			       : 0;
	if (!r && pages_add_new(&d->reader, &d->early, &d->stub.before, IMAGE_BY_FILE, false) < 0)
		r = -ENOMEM;
	if (!r && d->tracking && pages_add_shared(&d->reader, &d->stub.before, false) < 0)
		r = -ENOMEM;
	if (r == -ENOMEM)
		(void)err_set(e, r, "no memory for a list of its mappings");
	if (!r && d->tracking)
		pages_add_round(&d->reader, &d->dirty, &d->stub.before);
	return r;
}
