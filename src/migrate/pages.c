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

int pages_reader_init(struct pages_reader *p, pid_t pid, const struct image *m, bool all,
		      struct err *e)
{
	*p = (struct pages_reader){ .image = m, .all = all, .mem = -1, .pagemap = -1 };
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

/* Return: 1 there are runs, 0 the end, -errno */
static int next_runs(struct pages_reader *p, struct err *e)
{
	p->run = p->n_runs = 0;
	while (!p->n_runs && p->mapping < p->image->n_mappings) {
		const struct image_mapping *v = &p->image->mappings[p->mapping];
		ssize_t n;

		if (p->at < v->start)
			p->at = v->start;
		if (is_skipped(v) || p->at >= v->end) {
			p->mapping++;
			continue;
		}
		n = pages_scan(p->pagemap, &p->at, v->end, p->all, p->runs, PAGES_RUNS);
		if (n < 0)
			return err_set(e, (int)n, "find its pages: %s", strerror((int)-n));
		p->n_runs = (size_t)n;
	}
	return p->n_runs > 0;
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
			    kind == PAGES_ZERO ? 0 : (size_t)n * MOVE_PAGE);
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

int pages_send(struct pages_reader *p, struct channel *c, struct err *e)
{
	/* a run of pages may become as many frames as pages */
	const size_t worst = (size_t)MOVE_PAGES_MAX * (MOVE_PAGE + MOVE_HEADER + sizeof(struct pages_header));
	int r;

	while (channel_room(c, worst)) {
		struct page_run *run;
		uint32_t n;
		ssize_t got;

		if (p->run == p->n_runs) {
			r = next_runs(p, e);
			if (r < 0)
				return r;
			if (!r)
				return send_run(p, c, 0, NULL, 0, PAGES_BYTES) < 0 ? 0 : 1;
		}
		run = &p->runs[p->run];
		n = run->n < MOVE_PAGES_MAX ? (uint32_t)run->n : MOVE_PAGES_MAX;
		got = pread(p->mem, p->buffer, (size_t)n * MOVE_PAGE, (off_t)run->start);
		if (got < MOVE_PAGE) { /* behind the end of its file: there is nothing to send */
			run->start += MOVE_PAGE;
			run->n--;
		} else {
			n = (uint32_t)((size_t)got / MOVE_PAGE);
			r = send_bytes(p, c, run->start, n);
			if (r < 0)
				return err_set(e, r, "send its pages: %s", strerror(-r));
			run->start += (uint64_t)n * MOVE_PAGE;
			run->n -= n;
		}
		if (!run->n)
			p->run++;
	}
	return 0;
}

static int write_page(int mem, uint64_t at, const uint8_t *page, bool compare)
{
	uint8_t now[MOVE_PAGE];
	ssize_t n;

	if (compare && pread(mem, now, sizeof(now), (off_t)at) == MOVE_PAGE &&
	    !memcmp(now, page, MOVE_PAGE))
		return 0;
	n = pwrite(mem, page, MOVE_PAGE, (off_t)at);
	return n == MOVE_PAGE ? 0 : n < 0 ? -errno : -EIO;
}

static int write_all(int mem, const struct pages_header *h, const uint8_t *bytes, bool compare)
{
	int r = 0;

	if (h->kind == PAGES_BYTES && !compare) {
		size_t len = (size_t)h->n * MOVE_PAGE;
		ssize_t n = pwrite(mem, bytes, len, (off_t)h->at);

		return n == (ssize_t)len ? 0 : n < 0 ? -errno : -EIO;
	}
	if (h->kind == PAGES_ZERO && !compare)
		return 0; /* the mapping is new: zeroes are there already */
	for (uint32_t i = 0; !r && i < h->n; i++)
		r = write_page(mem, h->at + (uint64_t)i * MOVE_PAGE,
			       h->kind == PAGES_ZERO ? zeroes : bytes + (size_t)i * MOVE_PAGE,
			       compare);
	return r;
}

int pages_write(int mem, const struct move_frame *f, bool compare, bool *ret_end, struct err *e)
{
	struct pages_header h;
	size_t want;
	int r;

	memcpy(&h, f->payload, sizeof(h)); /* wire/move.h: the fixed part is there */
	want = h.kind == PAGES_ZERO ? 0 : (size_t)h.n * MOVE_PAGE;
	*ret_end = h.n == 0;
	if (h.kind > PAGES_ZERO || h.at % MOVE_PAGE || h.n > MOVE_PAGES_MAX ||
	    h.at >= IMAGE_TOP || h.at + (uint64_t)h.n * MOVE_PAGE > IMAGE_TOP ||
	    f->len != sizeof(h) + want)
		return err_set(e, -EPROTO, "a PAGES frame is malformed");
	r = write_all(mem, &h, f->payload + sizeof(h), compare);
	return r < 0 ? err_set(e, r, "write %u pages at %#llx: %s", h.n, (unsigned long long)h.at,
			       strerror(-r)) :
		       0;
}
