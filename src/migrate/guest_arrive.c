/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest_arrive.c - image and pages come in, a process comes out */
#include <errno.h>
#include <linux/filter.h>

#include "forward/table/filter.h"
#include "migrate/clock.h"
#include "migrate/guest.h"
#include "migrate/region.h"
#include "migrate/set_state.h"
#include "migrate/told.h"

static int check_region(const struct image *m, struct err *e)
{
	if (!m->n_threads || !m->parasite || m->parasite_size != REGION_BYTES)
		return err_set(e, -EPROTO,
			       "the image has no region of ours, or one of another size");
	return 0;
}

static int start_building(struct guest *g, struct err *e)
{
	/* a namespace for the process to come; ours stays as it is */
	int r = g->clocks_set ? 0 : clocks_apply(&g->clocks.offset, e);

	g->clocks_set = !r;
	return r < 0 ? r : build_memory(&g->build, g->box, &g->image, e);
}

/* the process has changed its mappings, or is stopped now */
static int change_mappings(struct guest *g, struct image *was, struct err *e)
{
	if (was->pid != g->image.pid || was->parasite != g->image.parasite ||
	    was->vdso_start != g->image.vdso_start)
		return err_set(e, -EPROTO, "an image of another process than the one before");
	if (build_change(&g->build, was, &g->image, e) < 0)
		return e->code;
	/* late pages: in the end, for now nobody would hear of what is unmapped */
	return g->dirty.uffd < 0 || g->lacks.prepared ? 0 : dirty_enroll(&g->dirty, false, e);
}

static int take_image(struct guest *g, struct err *e)
{
	struct image was = g->image;
	int r;

	image_init(&g->image);
	pageset_done(&g->beyond);
	r = image_get(buf_bytes(&g->image_bytes), g->image_bytes.len, &g->image, e);
	buf_reset(&g->image_bytes);
	if (!r)
		r = check_region(&g->image, e);
	if (!r)
		r = guest_files_check(g, &g->image, e);
	if (!r)
		r = was.n_threads ? change_mappings(g, &was, e) : start_building(g, e);
	if (!r && !was.n_threads)
		r = guest_track_early(g, e);
	image_done(&was);
	return r;
}

int guest_take_image(struct guest *g, const struct move_frame *f, struct err *e)
{
	int r = buf_put(&g->image_bytes, f->payload, f->len);

	if (r < 0)
		return err_set(e, r, "keep the image: %s", strerror(-r));
	return f->len ? 0 : take_image(g, e);
}

int guest_take_anew(struct guest *g, const struct move_frame *f, struct err *e)
{
	int fill_dev = g->build.fill_dev;

	(void)f;
	(void)e;
	build_abort(&g->build);
	build_init(&g->build);
	g->build.fill_dev = fill_dev;
	dirty_end(&g->dirty);
	dirty_init(&g->dirty);
	g->untracked = false;
	g->lacks.prepared = false;
	pageset_done(&g->beyond);
	image_done(&g->image);
	image_init(&g->image);
	buf_reset(&g->image_bytes);
	guest_send(g, MOVE_ANEW, NULL, 0, NULL, 0);
	return 0;
}

/* private memory of files that are not here: given back, it would be zeroes, and at home the file */
static size_t find_watched(const struct image *m, struct filter_range v[FILTER_RANGES_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < m->n_mappings; i++)
		if (m->mappings[i].flags & IMAGE_MAP_FILE && !m->mappings[i].file &&
		    !(m->mappings[i].flags & IMAGE_MAP_SHARED))
			filter_watch(v, &n, m->mappings[i].start, m->mappings[i].end);
	return n;
}

/*
 * The pages since the last image that found no memory, behind the end of a file. Before that one, what
 * they were of is another mapping in it, or none any more; now there should be none
 */
static int check_beyond(const struct guest *g, struct err *e)
{
	uint64_t at, n;

	if (!pageset_next(&g->beyond, 0, IMAGE_TOP, &at, &n))
		return 0;
	return err_set(e, -EIO, "there is no memory for a page at %#llx", (unsigned long long)at);
}

static int finish(struct guest *g, struct err *e)
{
	struct filter_range watched[FILTER_RANGES_MAX];
	struct sock_filter code[FILTER_INSNS_MAX];
	struct build_filter filter = { .code = code };
	size_t n;
	int r = check_beyond(g, e);

	pageset_done(&g->beyond);
	if (r < 0)
		return r;
	r = filter_build(0, 0, watched, find_watched(&g->image, watched), code, &n);
	if (r < 0)
		return err_set(e, r, "make the filter: %s", strerror(-r));
	filter.n = (unsigned short)n;
	r = build_finish(&g->build, &g->image, &filter, &g->notify, e);
	guest_files_close(g);
	if (!r)
		guest_limits_start(g);
	if (!r)
		guest_cpus_start(g);
	for (size_t i = 0; !r && i < g->image.n_threads; i++) {
		const struct image_thread *from = &g->image.threads[i];
		struct guest_thread *t = guest_add_thread(g, (pid_t)from->tid);

		if (!t)
			return err_set(e, -ENOMEM, "no memory for its threads");
		t->restart_call = from->restart_call;
		t->done = from->done;
	}
	if (!r && g->lacks.prepared)
		r = guest_late_start(g, e);
	if (!r)
		r = loop_add_fd(g->loop, g->notify, EPOLLIN, guest_on_notify, g, &g->notify_ref);
	if (r < 0)
		return r;
	g->state = GUEST_WAITING;
	guest_send(g, MOVE_BUILT, NULL, 0, NULL, 0);
	return 0;
}

int guest_take_pages(struct guest *g, const struct move_frame *f, struct err *e)
{
	const struct pages_writer w = {
		.pid = g->build.pid,
		.mem = g->build.mem,
		.written = &g->dirty.known,
		.image = &g->image,
		.beyond = &g->beyond,
		.uffd = g->dirty.uffd,
		.pagemap = -1,
		.hide_start = g->image.parasite,
		.hide_end = g->image.parasite + g->image.parasite_size,
	};
	struct pages_frame p;
	bool end = false;
	int r;

	if (!g->build.pid)
		return err_set(e, -EPROTO, "pages before the image");
	r = pages_parse(f, &p, e);
	if (!r)
		r = p.kind == PAGES_LATE ? guest_late_add(g, &p, e) : pages_write(&w, f, &end, e);
	return r < 0 || !end ? r : finish(g, e);
}

void guest_in_calls(const struct guest *g)
{
	for (size_t i = 0; i < g->image.n_threads; i++)
		set_state_in_call(&g->image.threads[i], false);
}

int guest_run(struct guest *g, struct err *e)
{
	(void)e;
	g->state = GUEST_RUNNING;
	guest_in_calls(g);
	for (size_t i = 0; i < g->n; i++)
		told_later(tracee_cont(g->threads[i]->tid, 0));
	guest_timers_start(g);
	guest_late_run(g);
	guest_on_child(g,
		       SIGCHLD); /* it may have been killed while it waited: nobody looked then */
	return 0;
}
