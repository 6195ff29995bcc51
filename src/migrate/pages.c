/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pages.c - the reader: which pages are sent next; the writer is pages_write.c */
#include "migrate/pages.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "migrate/pages_frame.h"
#include "os/fd.h"

#define GAP_LEAST 16ULL /* pages; a smaller hole is told when it is asked for */

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

void pages_reader_init(struct pages_reader *p)
{
	*p = (struct pages_reader){ .mem = -1, .pagemap = -1 };
}

int pages_reader_open(struct pages_reader *p, pid_t pid, uint64_t hide_start, uint64_t hide_end,
		      struct err *e)
{
	fd_close(&p->mem);
	fd_close(&p->pagemap);
	p->pid = pid;
	p->hide_start = hide_start;
	p->hide_end = hide_end;
	if (!p->buffer)
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
	free(p->ranges);
	p->buffer = NULL;
	p->ranges = NULL;
	p->n_ranges = 0;
}

/* ---------------------------------------------------------------- filling */

int pages_add(struct pages_reader *p, uint64_t start, uint64_t end, enum pages_which which)
{
	struct pages_range *more = reallocarray(p->ranges, p->n_ranges + 1, sizeof(*more));

	if (!more)
		return -ENOMEM;
	p->ranges = more;
	p->ranges[p->n_ranges++] = (struct pages_range){ start, end, which };
	return 0;
}

struct adding {
	struct pages_reader *to;
	bool files_only;
};

static int add_change(void *owner, enum image_change what, uint64_t start, uint64_t end,
		      const struct image_mapping *v)
{
	const struct adding *a = owner;

	if (what != IMAGE_NEW || v->flags & IMAGE_MAP_BEYOND)
		return 0;
	if (v->flags & IMAGE_MAP_FILE && !v->file)
		return pages_add(a->to, start, end, PAGES_ALL);
	if (v->file)
		return a->files_only ? 0 : pages_add(a->to, start, end, PAGES_OWN);
	return a->files_only ? 0 : pages_add(a->to, start, end, PAGES_THERE);
}

int pages_add_new(struct pages_reader *p, const struct image *was, const struct image *m,
		  enum image_identity by, bool files_only)
{
	struct adding a = { .to = p, .files_only = files_only };

	return image_changes(was, m, by, add_change, &a);
}

int pages_add_shared(struct pages_reader *p, const struct image *m, bool home)
{
	int r = 0;

	for (size_t i = 0; !r && i < m->n_mappings; i++)
		if ((m->mappings[i].flags & (IMAGE_MAP_SHARED | IMAGE_MAP_BEYOND)) ==
			    IMAGE_MAP_SHARED &&
		    !m->mappings[i].file && !(home && m->mappings[i].flags & IMAGE_MAP_READONLY))
			r = pages_add(p, m->mappings[i].start, m->mappings[i].end, PAGES_ALL);
	return r;
}

int pages_add_all(struct pages_reader *p, const struct image *m)
{
	int r = 0;

	for (size_t i = 0; !r && i < m->n_mappings; i++)
		if (!(m->mappings[i].flags & (IMAGE_MAP_VDSO | IMAGE_MAP_VSYSCALL |
					      IMAGE_MAP_READONLY | IMAGE_MAP_BEYOND)))
			/* of shared memory pagemap says only what this process has touched lately */
			r = pages_add(p, m->mappings[i].start, m->mappings[i].end,
				      m->mappings[i].flags & IMAGE_MAP_SHARED ? PAGES_ALL
									      : PAGES_AND_GAPS);
	return r;
}

void pages_add_round(struct pages_reader *p, struct dirty *d, const struct image *within)
{
	p->dirty = d;
	p->within = within;
}

/* --------------------------------------------------- the next piece: ranges */

/* the next hole of some size; Return: 1 a piece, 0 the range is over, -errno */
static int next_gap(struct pages_reader *p, const struct pages_range *v)
{
	while (p->told < v->end) {
		uint64_t from = p->told, to = v->end;

		if (p->run == p->n_runs && p->at < v->end) {
			ssize_t n = pages_scan(p->pagemap, &p->at, v->end, true, p->runs,
					       PAGES_RUNS);

			if (n < 0)
				return (int)n;
			p->n_runs = (size_t)n;
			p->run = 0;
			continue;
		}
		p->told = v->end;
		if (p->run < p->n_runs) {
			const struct page_run *run = &p->runs[p->run++];

			to = run->start;
			p->told = run->start + run->n * MOVE_PAGE;
		}
		if (to - from < GAP_LEAST * MOVE_PAGE)
			continue;
		p->piece = (struct pages_piece){ from, (to - from) / MOVE_PAGE, PAGES_ABSENT };
		return 1;
	}
	return 0;
}

/* Return: 1 a piece, 0 the range is over, -errno */
static int next_of_range(struct pages_reader *p, const struct pages_range *v)
{
	uint64_t from = p->told;
	ssize_t n;

	if (v->which == PAGES_ALL || v->which == PAGES_STAY) {
		p->piece = (struct pages_piece){ from, (v->end - from) / MOVE_PAGE,
						 v->which == PAGES_ALL ? PAGES_BYTES : PAGES_LATE };
		p->told = v->end;
		return from < v->end;
	}
	if (v->which == PAGES_GAPS)
		return next_gap(p, v);
	while (p->run == p->n_runs && p->at < v->end) {
		n = pages_scan(p->pagemap, &p->at, v->end, v->which != PAGES_OWN, p->runs,
			       PAGES_RUNS);
		if (n < 0)
			return (int)n;
		p->n_runs = (size_t)n;
		p->run = 0;
	}
	if (p->run == p->n_runs) {
		p->told = v->end;
		p->piece = (struct pages_piece){ from, (v->end - from) / MOVE_PAGE, PAGES_ABSENT };
		return v->which == PAGES_AND_GAPS && from < v->end;
	}
	if (v->which == PAGES_AND_GAPS && from < p->runs[p->run].start) {
		p->told = p->runs[p->run].start;
		p->piece = (struct pages_piece){ from, (p->told - from) / MOVE_PAGE, PAGES_ABSENT };
		return 1;
	}
	p->piece = (struct pages_piece){ p->runs[p->run].start, p->runs[p->run].n, PAGES_BYTES };
	p->told = p->piece.start + p->piece.n * MOVE_PAGE;
	p->run++;
	return 1;
}

/* ---------------------------------------------------- the next piece: rounds */

/* The part of [start, end) from start on that is to be sent; Return: false, and *start is behind it */
static bool clip(const struct pages_reader *p, uint64_t *start, uint64_t *end,
		 const struct image_mapping **in)
{
	const struct image *m = p->within;
	size_t i;

	if (*start<p->hide_end && * end> p->hide_start) {
		if (*start >= p->hide_start) {
			*start = p->hide_end < *end ? p->hide_end : *end;
			return false;
		}
		*end = p->hide_start;
	}
	*in = NULL;
	if (!m)
		return true;
	i = image_behind(m, *start);
	if (i == m->n_mappings || m->mappings[i].start > *start) {
		if (i < m->n_mappings && m->mappings[i].start < *end)
			*end = m->mappings[i].start;
		*start = *end;
		return false;
	}
	*end = m->mappings[i].end < *end ? m->mappings[i].end : *end;
	*in = &m->mappings[i];
	/* only what is private has pages in a round: where that was shared it is another mapping now */
	if (!((*in)->flags & (IMAGE_MAP_BEYOND | IMAGE_MAP_SHARED)))
		return true;
	*start = *end;
	return false;
}

/* of the ranges before this round, as a whole; that is enough where nothing changes any more */
static bool was_sent(const struct pages_reader *p, uint64_t start, uint64_t end)
{
	for (size_t i = 0; i < p->n_ranges; i++)
		if (p->ranges[i].which == PAGES_ALL && p->ranges[i].start <= start &&
		    p->ranges[i].end >= end)
			return true;
	return false;
}

/*
 * Return: 1 a piece, 0 the round is over, -errno. What was given back is fresh memory at the other
 * end too, but for a place where that has a file: the bytes of it must not come back.
 */
static int next_of_round(struct pages_reader *p)
{
	for (;;) {
		struct dirty_run *v = &p->named[p->name];
		const struct image_mapping *in = NULL;
		uint64_t start, end;
		bool ok, skip = false;
		int held = 0;

		if (p->name == p->n_named) {
			ssize_t n = dirty_next(p->dirty, p->named, PAGES_RUNS);

			if (n <= 0)
				return (int)n;
			p->n_named = (size_t)n;
			p->name = 0;
			continue;
		}
		start = v->start;
		end = v->start + v->n * MOVE_PAGE;
		ok = clip(p, &start, &end, &in);
		if (ok && p->held && !p->dirty->last)
			held = p->held(p->owner, start, &end);
		if (held < 0)
			return held;
		p->piece = (struct pages_piece){ start, (end - start) / MOVE_PAGE, PAGES_BYTES };
		if (v->kind == DIRTY_ZERO)
			p->piece.kind = in && in->flags & IMAGE_MAP_FILE ? PAGES_ZERO
									 : PAGES_ABSENT;
		/* what the host has itself needs no more than the pages that are the process's own */
		if (ok && v->kind == DIRTY_FILE)
			skip = !in || in->file || !(in->flags & IMAGE_MAP_FILE) ||
			       (p->dirty->last && was_sent(p, start, end));
		v->n -= ((ok ? end : start) - v->start) / MOVE_PAGE;
		v->start = ok ? end : start;
		if (!v->n)
			p->name++;
		if (ok && !skip && !held)
			return 1;
	}
}

/*
 * Of a file every page is sent, and what it is by the file need not be known. But one that is written may
 * be the process's own when it is read, and given back (to what the file has) before the round comes to it
 */
static bool may_be_given_back(const struct pages_reader *p, const struct pages_range *v)
{
	const struct image_mapping *in = p->within ? image_at(p->within, v->start) : NULL;

	return v->which != PAGES_ALL ||
	       (in && !(in->flags & IMAGE_MAP_SHARED) && in->prot & PROT_WRITE);
}

static int know(struct pages_reader *p, const struct pages_range *v)
{
	if (!p->dirty || p->piece.kind != PAGES_BYTES || !may_be_given_back(p, v))
		return 1;
	return dirty_know(p->dirty, p->piece.start, p->piece.n) < 0 ? -ENOMEM : 1;
}

/* Return: 1 a piece, 0 all is sent: the reader is empty, -errno */
static int next_piece(struct pages_reader *p)
{
	int r;

	while (p->range < p->n_ranges) {
		const struct pages_range *v = &p->ranges[p->range];

		if (!p->at)
			p->at = p->told = v->start;
		r = next_of_range(p, v);
		if (r)
			return r < 0 ? r : know(p, v);
		p->at = p->told = 0;
		p->n_runs = p->run = 0;
		p->range++;
	}
	r = p->dirty ? next_of_round(p) : 0;
	if (r)
		return r;
	p->dirty = NULL;
	p->range = p->n_ranges = 0;
	p->n_named = p->name = 0;
	return 0;
}

/* ---------------------------------------------------------------- sending */

static int send_run(struct channel *c, uint64_t at, const uint8_t *bytes, uint32_t n, uint32_t kind)
{
	const struct pages_header h = { .at = at, .n = n, .kind = kind };

	return channel_send(c, MOVE_PAGES, &h, sizeof(h), bytes,
			    kind == PAGES_BYTES ? (size_t)n * MOVE_PAGE : 0);
}

int pages_send_end(struct channel *c)
{
	return send_run(c, 0, NULL, 0, PAGES_BYTES);
}

static bool is_zero(const uint8_t *page)
{
	return !page[0] && !memcmp(page, page + 1, MOVE_PAGE - 1);
}

/* alternating runs of pages of zeroes and others */
static int send_bytes(struct pages_reader *p, struct channel *c, uint64_t at, uint32_t n)
{
	int r = 0;

	for (uint32_t i = 0, k; !r && i < n; i = k) {
		bool zero = is_zero(p->buffer + (size_t)i * MOVE_PAGE);

		for (k = i + 1; k < n && is_zero(p->buffer + (size_t)k * MOVE_PAGE) == zero; k++)
			;
		r = send_run(c, at + (uint64_t)i * MOVE_PAGE, p->buffer + (size_t)i * MOVE_PAGE,
			     k - i, zero ? PAGES_ZERO : PAGES_BYTES);
		p->pages += k - i;
		p->bytes += zero ? 0 : (uint64_t)(k - i) * MOVE_PAGE;
	}
	return r;
}

/* pages were read to where they leave from; Return: 0, 1 not so: some are zeroes, -errno */
static int send_in_place(struct pages_reader *p, struct channel *c, uint64_t at, uint8_t *payload,
			 uint32_t n)
{
	const struct pages_header h = { .at = at, .n = n, .kind = PAGES_BYTES };

	for (uint32_t i = 0; i < n; i++)
		if (is_zero(payload + sizeof(h) + (size_t)i * MOVE_PAGE))
			return 1;
	memcpy(payload, &h, sizeof(h));
	p->pages += n;
	p->bytes += (uint64_t)n * MOVE_PAGE;
	return channel_commit(c, MOVE_PAGES, sizeof(h) + (size_t)n * MOVE_PAGE);
}

/* Return: bytes from the start on, fewer where it ends; 0 or -1 there is nothing */
static ssize_t read_memory(const struct pages_reader *p, uint64_t at, uint8_t *to, size_t n)
{
	const struct iovec ours = { to, n }, theirs = { (void *)(uintptr_t)at, n };
	ssize_t got = process_vm_readv(p->pid, &ours, 1, &theirs, 1, 0), more;

	got = got < 0 ? 0 : got;
	if ((size_t)got == n)
		return got;
	more = pread(p->mem, to + got, n - (size_t)got, (off_t)(at + (uint64_t)got));
	return more > 0 ? got + more : got;
}

/* up to @n pages of what is there; Return: how many were dealt with, -errno */
static int read_and_send(struct pages_reader *p, struct channel *c, uint64_t at, uint32_t n)
{
	const size_t head = sizeof(struct pages_header);
	uint8_t *payload;
	ssize_t got;
	int r = channel_reserve(c, head + (size_t)n * MOVE_PAGE, &payload);

	if (r < 0)
		return r;
	got = read_memory(p, at, payload + head, (size_t)n * MOVE_PAGE);
	if (got <
	    MOVE_PAGE) { /* nothing there: behind the end of its file, or unmapped meanwhile */
		r = p->all_told ? send_run(c, at, NULL, 1, PAGES_ABSENT) : 0;
		return r < 0 ? r : 1;
	}
	n = (uint32_t)((size_t)got / MOVE_PAGE);
	r = send_in_place(p, c, at, payload, n);
	if (r == 1) {
		memcpy(p->buffer, payload + head, (size_t)n * MOVE_PAGE);
		r = send_bytes(p, c, at, n);
	}
	return r < 0 ? r : (int)n;
}

/* as much of the piece as one frame takes; Return: 0 or -errno */
static int send_part(struct pages_reader *p, struct channel *c)
{
	struct pages_piece *v = &p->piece;
	bool any = v->kind == PAGES_ABSENT || v->kind == PAGES_LATE;
	uint64_t most = any ? UINT32_MAX : MOVE_PAGES_MAX;
	uint32_t n = (uint32_t)(v->n < most ? v->n : most);
	int r;

	if (v->kind == PAGES_BYTES)
		r = read_and_send(p, c, v->start, n);
	else
		r = send_run(c, v->start, NULL, n, v->kind);
	if (r < 0)
		return r;
	n = v->kind == PAGES_BYTES ? (uint32_t)r : n;
	v->start += (uint64_t)n * MOVE_PAGE;
	v->n -= n;
	return 0;
}

bool pages_is_idle(const struct pages_reader *p)
{
	return !p->n_ranges && !p->dirty && !p->piece.n;
}

static bool has_room(const struct pages_reader *p, const struct channel *c)
{
	/* a run of pages may become as many frames as pages */
	const size_t worst = (size_t)MOVE_PAGES_MAX *
			     (MOVE_PAGE + MOVE_HEADER + sizeof(struct pages_header));

	return channel_room(c, worst) && channel_queued(c) < PAGES_QUEUED &&
	       !(p->polite && channel_backlog(c) > PAGES_POLITE);
}

bool pages_is_void(const struct pages_reader *p)
{
	uint8_t byte;

	return pread(p->mem, &byte, 1, 0) == 0;
}

static int send_room(struct pages_reader *p, struct channel *c, struct err *e)
{
	int r;

	while (has_room(p, c)) {
		if (!p->piece.n) {
			r = next_piece(p);
			if (r < 0)
				return err_set(e, r, "find its pages: %s", strerror(-r));
			if (!r && pages_is_void(p))
				return err_set(e, -ESRCH,
					       "it was killed while its pages were read");
			if (!r)
				return 1;
		}
		r = send_part(p, c);
		if (r < 0)
			return err_set(e, r, "send its pages: %s", strerror(-r));
	}
	return 0;
}

int pages_send(struct pages_reader *p, struct channel *c, struct err *e)
{
	int r;

	channel_hold(c); /* pages that were written here and there are a frame each */
	r = send_room(p, c, e);
	channel_let_go(c);
	return r;
}
