/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pages_write.c - PAGES frames are written into a process */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "migrate/pages.h"
#include "migrate/pages_frame.h"

static const uint8_t zeroes[MOVE_PAGE];

static int result(ssize_t n, size_t want)
{
	return n == (ssize_t)want ? 0 : n < 0 ? -errno : -EIO;
}

/* in a file of this host, what was not written is not zero */
static int cover_files(const struct pages_writer *w, const struct pages_header *h)
{
	uint64_t end = h->at + (uint64_t)h->n * MOVE_PAGE;
	int r = 0;

	for (size_t i = 0; !r && w->image && i < w->image->n_mappings; i++) {
		const struct image_mapping *v = &w->image->mappings[i];
		uint64_t from = v->start > h->at ? v->start : h->at;
		uint64_t to = v->end < end ? v->end : end;

		if (v->file && from < to)
			r = pageset_add(w->written, from, (to - from) / MOVE_PAGE);
	}
	return r;
}

/* what was written once and is zeroes now; the rest is fresh, so it is zero already */
static int clear_written(const struct pages_writer *w, const struct pages_header *h)
{
	uint64_t at = h->at, end = h->at + (uint64_t)h->n * MOVE_PAGE, start, n;
	int r = h->kind == PAGES_ZERO ? cover_files(w, h) : 0;

	while (!r && pageset_next(w->written, at, end, &start, &n))
		for (at = start; !r && n; n--, at += MOVE_PAGE)
			r = result(pwrite(w->mem, zeroes, MOVE_PAGE, (off_t)at), MOVE_PAGE);
	return r;
}

static int write_new(const struct pages_writer *w, const struct pages_header *h,
		     const uint8_t *bytes)
{
	size_t len = (size_t)h->n * MOVE_PAGE;
	int r;

	if (h->kind != PAGES_BYTES)
		return clear_written(w, h);
	r = pageset_add(w->written, h->at, h->n);
	return r < 0 ? r : result(pwrite(w->mem, bytes, len, (off_t)h->at), len);
}

static int write_page(int mem, uint64_t at, const uint8_t *page)
{
	uint8_t now[MOVE_PAGE];

	if (pread(mem, now, sizeof(now), (off_t)at) == MOVE_PAGE && !memcmp(now, page, MOVE_PAGE))
		return 0;
	return result(pwrite(mem, page, MOVE_PAGE, (off_t)at), MOVE_PAGE);
}

static int write_changed(const struct pages_writer *w, const struct pages_header *h,
			 const uint8_t *bytes)
{
	int r = 0;

	for (uint32_t i = 0; !r && i < h->n; i++)
		r = write_page(w->mem, h->at + (uint64_t)i * MOVE_PAGE,
			       h->kind == PAGES_ZERO ? zeroes : bytes + (size_t)i * MOVE_PAGE);
	return r;
}

static int drop_run(const struct pages_writer *w, const struct page_run *run, struct err *e)
{
	int r = 0;

	if (w->drop)
		return w->drop(w->owner, run->start, run->n, e);
	for (uint64_t i = 0; !r && i < run->n; i++)
		r = write_page(w->mem, run->start + i * MOVE_PAGE, zeroes);
	return r;
}

/* what was written here before it left, and is not there any more */
static int drop_absent(const struct pages_writer *w, const struct pages_header *h, struct err *e)
{
	uint64_t at = h->at, end = h->at + (uint64_t)h->n * MOVE_PAGE;
	struct page_run runs[PAGES_RUNS];
	ssize_t n = 0;
	int r = 0;

	while (!r && at < end) {
		n = pages_scan(w->pagemap, &at, end, false, runs, PAGES_RUNS);
		if (n < 0)
			return (int)n;
		for (ssize_t i = 0; !r && i < n; i++)
			r = drop_run(w, &runs[i], e);
	}
	return r;
}

static bool is_sane(const struct pages_writer *w, const struct pages_header *h, uint32_t len)
{
	size_t want = h->kind == PAGES_BYTES ? (size_t)h->n * MOVE_PAGE : 0;
	uint64_t end = h->at + (uint64_t)h->n * MOVE_PAGE;

	return h->kind <= PAGES_ABSENT && h->at % MOVE_PAGE == 0 &&
	       (h->kind == PAGES_ABSENT || h->n <= MOVE_PAGES_MAX) && h->at < IMAGE_TOP &&
	       end <= IMAGE_TOP && len == sizeof(*h) + want &&
	       (end <= w->hide_start || h->at >= w->hide_end);
}

int pages_write(const struct pages_writer *w, const struct move_frame *f, bool *ret_end,
		struct err *e)
{
	struct pages_header h;
	int r;

	memcpy(&h, f->payload, sizeof(h)); /* wire/move.h: the fixed part is there */
	*ret_end = h.n == 0;
	if (!is_sane(w, &h, f->len))
		return err_set(e, -EPROTO, "a PAGES frame is malformed");
	if (w->written)
		r = write_new(w, &h, f->payload + sizeof(h));
	else if (h.kind == PAGES_ABSENT)
		r = drop_absent(w, &h, e);
	else
		r = write_changed(w, &h, f->payload + sizeof(h));
	if (r < 0 && !e->code)
		(void)err_set(e, r, "write %u pages at %#llx: %s", h.n, (unsigned long long)h.at,
			      strerror(-r));
	return r;
}
