/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "migrate/pages.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "os/fd.h"

struct pages_header {
	uint64_t at;
	uint32_t n;
	uint32_t kind;
};

static const uint8_t zeroes[MOVE_PAGE];

static int open_of(pid_t pid, const char *name, struct err *e)
{
	char path[48];
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? err_set(e, -errno, "open '%s': %s", path, strerror(errno)) : fd;
}

int pages_open_pagemap(pid_t pid)
{
	return open_of(pid, "pagemap", NULL);
}

int pages_reader_init(struct pages_reader *p, pid_t pid, const struct image *m, bool home,
		      struct err *e)
{
	*p = (struct pages_reader){ .image = m, .home = home, .mem = -1, .pagemap = -1 };
	p->buffer = malloc((size_t)MOVE_PAGES_MAX * MOVE_PAGE);
	if (!p->buffer)
		return err_set(e, -ENOMEM, "no memory to read pages into");
	p->mem = open_of(pid, "mem", e);
	p->pagemap = p->mem < 0 ? -1 : open_of(pid, "pagemap", e);
	return p->mem < 0 ? p->mem : p->pagemap < 0 ? p->pagemap : 0;
}

void pages_reader_done(struct pages_reader *p)
{
	fd_close(&p->mem);
	fd_close(&p->pagemap);
	free(p->buffer);
	p->buffer = NULL;
}

static bool is_skipped(const struct image_mapping *v)
{
	return v->flags & (IMAGE_MAP_VDSO | IMAGE_MAP_VSYSCALL);
}

/* a mapping whose pages are all to be sent, there or not */
static bool is_whole(const struct pages_reader *p, const struct image_mapping *v)
{
	/* of shared memory pagemap says only what this process has touched lately */
	return (v->flags & IMAGE_MAP_SHARED) || (p->home && (v->flags & IMAGE_MAP_FILE));
}

/* Return: how many runs of the mapping come next, 0 none, -errno */
static ssize_t find_runs(struct pages_reader *p, const struct image_mapping *v)
{
	if (!is_whole(p, v))
		return pages_scan(p->pagemap, &p->at, v->end, true, p->runs, PAGES_RUNS);
	p->runs[0] = (struct page_run){ p->at, (v->end - p->at) / MOVE_PAGE };
	p->at = v->end;
	return 1;
}

/* Return: 1 there is something to send, 0 the end, -errno */
static int next_runs(struct pages_reader *p, struct err *e)
{
	p->run = p->n_runs = 0;
	while (p->mapping < p->image->n_mappings) {
		const struct image_mapping *v = &p->image->mappings[p->mapping];
		ssize_t n;

		if (p->told < v->start)
			p->at = p->told = v->start;
		if (is_skipped(v) || (p->at >= v->end && p->told >= v->end)) {
			p->mapping++;
			continue;
		}
		if (p->at >= v->end)
			return 1; /* its absent end */
		n = find_runs(p, v);
		if (n < 0)
			return err_set(e, (int)n, "find its pages: %s", strerror((int)-n));
		p->n_runs = (size_t)n;
		return 1;
	}
	return 0;
}

static bool is_zero(const uint8_t *page)
{
	return !memcmp(page, zeroes, MOVE_PAGE);
}

static int send_run(struct pages_reader *p, struct channel *c, uint64_t at, const uint8_t *bytes,
		    uint32_t n, uint32_t kind)
{
	const struct pages_header h = { .at = at, .n = n, .kind = kind };

	return channel_send(c, MOVE_PAGES, &h, sizeof(h), bytes,
			    kind == PAGES_BYTES ? (size_t)n * MOVE_PAGE : 0);
}

/* what lies between the pages that were sent and those that come next is not there */
static int send_absent(struct pages_reader *p, struct channel *c, uint64_t to)
{
	int r = 0;

	while (!p->home && !r && p->told < to) {
		uint64_t n = (to - p->told) / MOVE_PAGE;

		n = n < UINT32_MAX ? n : UINT32_MAX;
		r = send_run(p, c, p->told, NULL, (uint32_t)n, PAGES_ABSENT);
		p->told += n * MOVE_PAGE;
	}
	p->told = to;
	return r;
}

/* alternating runs of pages of zeroes and others */
static int send_bytes(struct pages_reader *p, struct channel *c, uint64_t at, uint32_t n)
{
	int r = 0;

	for (uint32_t i = 0, k; !r && i < n; i = k) {
		bool zero = is_zero(p->buffer + (size_t)i * MOVE_PAGE);

		for (k = i + 1; k < n && is_zero(p->buffer + (size_t)k * MOVE_PAGE) == zero; k++)
			;
		r = send_run(p, c, at + (uint64_t)i * MOVE_PAGE,
			     p->buffer + (size_t)i * MOVE_PAGE, k - i,
			     zero ? PAGES_ZERO : PAGES_BYTES);
		p->pages += k - i;
		p->bytes += zero ? 0 : (uint64_t)(k - i) * MOVE_PAGE;
	}
	return r;
}

/* as much of a run as one frame takes; Return: 0 or -errno */
static int send_part(struct pages_reader *p, struct channel *c, struct page_run *run)
{
	uint32_t n = run->n < MOVE_PAGES_MAX ? (uint32_t)run->n : MOVE_PAGES_MAX;
	ssize_t got = pread(p->mem, p->buffer, (size_t)n * MOVE_PAGE, (off_t)run->start);
	int r = send_absent(p, c, run->start);

	if (got < MOVE_PAGE) { /* behind the end of its file: there is nothing to send */
		n = 1;
	} else {
		n = (uint32_t)((size_t)got / MOVE_PAGE);
		if (!r)
			r = send_bytes(p, c, run->start, n);
	}
	run->start += (uint64_t)n * MOVE_PAGE;
	run->n -= n;
	p->told = run->start;
	return r;
}

/*
 * A process that was killed has no memory any more: its pages look like ones that never were, and
 * reading gives nothing, not even an error. Once so, it stays so: asked at the end, it holds for all
 */
static bool was_killed(const struct pages_reader *p)
{
	uint8_t byte;

	return p->image->n_mappings &&
	       pread(p->mem, &byte, 1, (off_t)p->image->mappings[0].start) == 0;
}

/* Return: 1 all was sent, 0 there is more, -errno */
static int send_next(struct pages_reader *p, struct channel *c, struct err *e)
{
	int r;

	if (p->run < p->n_runs) {
		r = send_part(p, c, &p->runs[p->run]);
		if (!p->runs[p->run].n)
			p->run++;
		return r;
	}
	if (p->mapping < p->image->n_mappings && p->at >= p->image->mappings[p->mapping].end &&
	    p->told < p->at) {
		r = send_absent(p, c, p->at);
		if (r < 0)
			return r;
	}
	r = next_runs(p, e);
	if (r)
		return r < 0 ? r : 0;
	if (was_killed(p))
		return err_set(e, -ESRCH, "it was killed while its pages were read");
	r = send_run(p, c, 0, NULL, 0, PAGES_BYTES);
	return r < 0 ? r : 1;
}

int pages_send(struct pages_reader *p, struct channel *c, struct err *e)
{
	/* a run of pages may become as many frames as pages, and one of absent ones before them */
	const size_t worst = (size_t)(MOVE_PAGES_MAX + 1) *
			     (MOVE_PAGE + MOVE_HEADER + sizeof(struct pages_header));
	int r = 0;

	while (!r && channel_room(c, worst)) {
		r = send_next(p, c, e);
		if (r < 0 && !e->code)
			(void)err_set(e, r, "send its pages: %s", strerror(-r));
	}
	return r;
}

static int write_page(int mem, uint64_t at, const uint8_t *page)
{
	uint8_t now[MOVE_PAGE];
	ssize_t n;

	if (pread(mem, now, sizeof(now), (off_t)at) == MOVE_PAGE &&
	    !memcmp(now, page, MOVE_PAGE))
		return 0;
	n = pwrite(mem, page, MOVE_PAGE, (off_t)at);
	return n == MOVE_PAGE ? 0 : n < 0 ? -errno : -EIO;
}

static int write_new(const struct pages_writer *w, const struct pages_header *h,
		     const uint8_t *bytes)
{
	size_t len = (size_t)h->n * MOVE_PAGE;
	ssize_t n;

	if (h->kind != PAGES_BYTES)
		return 0; /* the mapping is new: zeroes are there already */
	n = pwrite(w->mem, bytes, len, (off_t)h->at);
	return n == (ssize_t)len ? 0 : n < 0 ? -errno : -EIO;
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

/* what was written here before it left, and is not there any more */
static int drop_absent(const struct pages_writer *w, const struct pages_header *h, struct err *e)
{
	uint64_t at = h->at, end = h->at + (uint64_t)h->n * MOVE_PAGE;
	struct page_run runs[PAGES_RUNS];
	ssize_t n = 0;
	int r = 0;

	while (!r && w->pagemap >= 0 && at < end) {
		n = pages_scan(w->pagemap, &at, end, false, runs, PAGES_RUNS);
		if (n < 0)
			return err_set(e, (int)n, "find its pages: %s", strerror((int)-n));
		for (ssize_t i = 0; !r && i < n; i++)
			r = w->drop(w->owner, runs[i].start, runs[i].n, e);
	}
	return r;
}

static bool is_sane(const struct pages_header *h, uint32_t len)
{
	size_t want = h->kind == PAGES_BYTES ? (size_t)h->n * MOVE_PAGE : 0;

	return h->kind <= PAGES_ABSENT && h->at % MOVE_PAGE == 0 &&
	       (h->kind == PAGES_ABSENT || h->n <= MOVE_PAGES_MAX) && h->at < IMAGE_TOP &&
	       h->at + (uint64_t)h->n * MOVE_PAGE <= IMAGE_TOP && len == sizeof(*h) + want;
}

int pages_write(const struct pages_writer *w, const struct move_frame *f, bool *ret_end,
		struct err *e)
{
	struct pages_header h;
	int r;

	memcpy(&h, f->payload, sizeof(h)); /* wire/move.h: the fixed part is there */
	*ret_end = h.n == 0;
	if (!is_sane(&h, f->len))
		return err_set(e, -EPROTO, "a PAGES frame is malformed");
	if (h.kind == PAGES_ABSENT)
		return drop_absent(w, &h, e);
	r = w->pagemap < 0 ? write_new(w, &h, f->payload + sizeof(h)) :
			     write_changed(w, &h, f->payload + sizeof(h));
	return r < 0 ? err_set(e, r, "write %u pages at %#llx: %s", h.n, (unsigned long long)h.at,
			       strerror(-r)) :
		       0;
}
