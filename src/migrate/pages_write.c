/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pages_write.c - PAGES frames are written into a process */
#include <errno.h>
#include <linux/userfaultfd.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
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

	if (!w->image)
		return 0;
	for (size_t i = image_behind(w->image, h->at); !r && i < w->image->n_mappings; i++) {
		const struct image_mapping *v = &w->image->mappings[i];
		uint64_t from = v->start > h->at ? v->start : h->at;
		uint64_t to = v->end < end ? v->end : end;

		if (v->start >= end)
			break;
		if (v->file)
			r = pageset_add(w->written, from, (to - from) / MOVE_PAGE);
	}
	return r;
}

/* what its protection forbids, and has to be written all the same, goes by /proc/PID/mem */
static int write_memory(const struct pages_writer *w, uint64_t at, const uint8_t *p, size_t n)
{
	/* it is only read; struct iovec has no word for that */
	const struct iovec ours = { (void *)(uintptr_t)p, n };
	const struct iovec theirs = { (void *)(uintptr_t)at, n };
	ssize_t done = process_vm_writev(w->pid, &ours, 1, &theirs, 1, 0);
	size_t rest;

	done = done < 0 ? 0 : done;
	rest = n - (size_t)done;
	if (!rest)
		return 0;
	return result(pwrite(w->mem, p + done, rest, (off_t)(at + (uint64_t)done)), rest);
}

static bool is_in_file(const struct pages_writer *w, uint64_t at)
{
	const struct image_mapping *v = w->image ? image_at(w->image, at) : NULL;

	return v && (v->file || v->flags & IMAGE_MAP_BEYOND);
}

/*
 * Behind the end of a file of this host there is no memory. Nor was there at home when the image was
 * made: the program has mapped something else there since (as the dynamic linker does), whose page
 * this is, and which the next image has.
 */
static int write_page_new(const struct pages_writer *w, uint64_t at, const uint8_t *page)
{
	int r = write_memory(w, at, page, MOVE_PAGE);

	if (r != -EIO || !w->beyond || !is_in_file(w, at))
		return r;
	pageset_del(w->written, at, 1);
	return pageset_add(w->beyond, at, 1);
}

static int write_pages_new(const struct pages_writer *w, uint64_t at, const uint8_t *p, size_t n)
{
	int r = write_memory(w, at, p, n);

	if (r != -EIO)
		return r;
	for (r = 0; !r && n; n -= MOVE_PAGE, at += MOVE_PAGE, p += MOVE_PAGE)
		r = write_page_new(w, at, p);
	return r;
}

/* what was written once and is zeroes now; the rest is fresh, so it is zero already */
static int clear_written(const struct pages_writer *w, const struct pages_header *h)
{
	uint64_t at = h->at, end = h->at + (uint64_t)h->n * MOVE_PAGE, start, n;
	int r = h->kind == PAGES_ZERO ? cover_files(w, h) : 0;

	while (!r && pageset_next(w->written, at, end, &start, &n))
		for (at = start; !r && n; n--, at += MOVE_PAGE)
			r = write_page_new(w, at, zeroes);
	return r;
}

/*
 * Pages that do not exist yet are made of our bytes, write-protected: the kernel need not clear them
 * first, nor look for them when written pages are asked for. Return: bytes, from the start on
 */
static size_t make_pages(const struct pages_writer *w, uint64_t at, const uint8_t *p, size_t n)
{
	struct uffdio_copy c = { .dst = at,
				 .src = (uint64_t)(uintptr_t)p,
				 .len = n,
				 .mode = UFFDIO_COPY_MODE_WP | UFFDIO_COPY_MODE_DONTWAKE };

	if (w->uffd < 0)
		return 0;
	/* one that exists, or a mapping that is not registered: it is written in the other way */
	if (ioctl(w->uffd, UFFDIO_COPY, &c) < 0 && c.copy < 0)
		return 0;
	return (size_t)c.copy;
}

static int write_new(const struct pages_writer *w, const struct pages_header *h,
		     const uint8_t *bytes)
{
	size_t len = (size_t)h->n * MOVE_PAGE, made = 0;
	uint64_t start, n;
	int r;

	if (h->kind != PAGES_BYTES)
		return clear_written(w, h);
	if (!pageset_next(w->written, h->at, h->at + len, &start, &n))
		made = make_pages(w, h->at, bytes, len);
	r = pageset_add(w->written, h->at, h->n);
	if (r < 0 || made == len)
		return r;
	return write_pages_new(w, h->at + made, bytes + made, len - made);
}

static int write_page(const struct pages_writer *w, uint64_t at, const uint8_t *page)
{
	uint8_t now[MOVE_PAGE];
	int r;

	if (pread(w->mem, now, sizeof(now), (off_t)at) == MOVE_PAGE &&
	    !memcmp(now, page, MOVE_PAGE))
		return 0;
	r = result(pwrite(w->mem, page, MOVE_PAGE, (off_t)at), MOVE_PAGE);
	return r == -EIO && w->missed ? pageset_add(w->missed, at, 1) : r;
}

static int write_changed(const struct pages_writer *w, const struct pages_header *h,
			 const uint8_t *bytes)
{
	int r = 0;

	for (uint32_t i = 0; !r && i < h->n; i++)
		r = write_page(w, h->at + (uint64_t)i * MOVE_PAGE,
			       h->kind == PAGES_ZERO ? zeroes : bytes + (size_t)i * MOVE_PAGE);
	return r;
}

static int drop_run(const struct pages_writer *w, const struct page_run *run, struct err *e)
{
	int r = 0;

	if (w->drop)
		return w->drop(w->owner, run->start, run->n, e);
	for (uint64_t i = 0; !r && i < run->n; i++)
		r = write_page(w, run->start + i * MOVE_PAGE, zeroes);
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

int pages_parse(const struct move_frame *f, struct pages_frame *ret, struct err *e)
{
	struct pages_header h;
	uint64_t end;
	size_t want;

	memcpy(&h, f->payload, sizeof(h)); /* wire/move.h: the fixed part is there */
	want = h.kind == PAGES_BYTES ? (size_t)h.n * MOVE_PAGE : 0;
	end = h.at + (uint64_t)h.n * MOVE_PAGE;
	if (h.kind > PAGES_LATE || h.at % MOVE_PAGE || h.at >= IMAGE_TOP || end > IMAGE_TOP ||
	    (h.kind < PAGES_ABSENT && h.n > MOVE_PAGES_MAX) || f->len != sizeof(h) + want)
		return err_set(e, -EPROTO, "a PAGES frame is malformed");
	*ret = (struct pages_frame){ .at = h.at,
				     .n = h.n,
				     .kind = (enum pages_kind)h.kind,
				     .bytes = f->payload + sizeof(h) };
	return 0;
}

int pages_check(const struct move_frame *f, uint64_t hide_start, uint64_t hide_end,
		struct pages_header *ret, struct err *e)
{
	struct pages_frame p;
	int r = pages_parse(f, &p, e);

	if (r < 0)
		return r;
	if (p.kind == PAGES_LATE ||
	    (p.at < hide_end && p.at + (uint64_t)p.n * MOVE_PAGE > hide_start))
		return err_set(e, -EPROTO, "a PAGES frame for a place where none may be");
	*ret = (struct pages_header){ p.at, p.n, p.kind };
	return 0;
}

int pages_write(const struct pages_writer *w, const struct move_frame *f, bool *ret_end,
		struct err *e)
{
	struct pages_header h;
	int r = pages_check(f, w->hide_start, w->hide_end, &h, e);

	if (r < 0)
		return r;
	*ret_end = h.n == 0;
	if (w->missed) /* until now */
		pageset_del(w->missed, h.at, h.n);
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
