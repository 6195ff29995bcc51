/* SPDX-License-Identifier: GPL-2.0-or-later */
/* page_store.c - the pages of a checkpoint, in a file that has no name */
#include "migrate/page_store.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/grow.h"
#include "os/fd.h"

#define CHUNK_PAGES 512
#define CHUNK_BYTES ((uint64_t)CHUNK_PAGES * PAGE_STORE_PAGE)

/* of a page in a chunk */
#define UNKNOWN	  0U /* kept: as it was when it left; next: as kept */
#define ZERO	  1U
#define ABSENT	  2U
#define SLOTS	  3U	      /* from here on: slot of the file + SLOTS */
#define IN_MEMORY 0x80000000U /* or this | slot in memory */

struct page_store_chunk {
	uint64_t base;
	uint32_t kept[CHUNK_PAGES], next[CHUNK_PAGES];
	bool there[CHUNK_PAGES]; /* kept was put into the process */
};

void page_store_init(struct page_store *s)
{
	*s = (struct page_store){ .fd = -1, .spill = -1 };
}

void page_store_done(struct page_store *s)
{
	fd_close(&s->fd);
	fd_close(&s->spill);
	free(s->free_slots);
	free(s->chunks);
	page_store_init(s);
}

/* for file systems that cannot make a file without a name */
static int open_and_unlink(const char *dir)
{
	char path[PATH_MAX];
	int fd;

	if (snprintf(path, sizeof(path), "%s/checkpoint-XXXXXX", dir) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	fd = mkostemp(path, O_CLOEXEC); /* mode 0600 */
	if (fd < 0)
		return -errno;
	(void)unlink(path); /* fails: an empty-looking file is left, for its user alone */
	return fd;
}

int page_store_open(struct page_store *s, const char *dir, uint64_t max_bytes, struct err *e)
{
	uint64_t slots = max_bytes / PAGE_STORE_PAGE;
	int fd = open(dir, O_TMPFILE | O_RDWR | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0)
		fd = errno == EOPNOTSUPP || errno == EISDIR ? open_and_unlink(dir) : -errno;
	if (fd < 0)
		return err_set(e, fd, "make a file for images in '%s': %s", dir, strerror(-fd));
	s->fd = fd;
	s->max_slots = slots < IN_MEMORY - SLOTS ? (uint32_t)slots : IN_MEMORY - SLOTS;
	return 0;
}

/* ---------------------------------------------------------------- chunks */

/* index of the first chunk that ends behind at */
static size_t place(const struct page_store *s, uint64_t at)
{
	size_t low = 0, high = s->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (s->chunks[mid].base + CHUNK_BYTES <= at)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static struct page_store_chunk *chunk_of(struct page_store *s, uint64_t at)
{
	size_t i = place(s, at);

	if (i < s->n && s->chunks[i].base <= at)
		return &s->chunks[i];
	if (s->n == PAGE_STORE_CHUNKS_MAX)
		return NULL;

	struct page_store_chunk *more = grow(s->chunks, s->n, &s->cap, 16, sizeof(*more));

	if (!more)
		return NULL;
	s->chunks = more;
	memmove(&s->chunks[i + 1], &s->chunks[i], (s->n - i) * sizeof(*s->chunks));
	s->n++;
	memset(&s->chunks[i], 0, sizeof(s->chunks[i]));
	s->chunks[i].base = at - at % CHUNK_BYTES;
	return &s->chunks[i];
}

/* ---------------------------------------------------------------- slots */

static void free_slot(struct page_store *s, uint32_t value)
{
	/* there is room for all of the file's: take_slot(). Those in memory are for the last image */
	if (value >= SLOTS && !(value & IN_MEMORY))
		s->free_slots[s->n_free++] = value - SLOTS;
}

/* Return: 0, -EFBIG, -ENOMEM */
static int take_slot(struct page_store *s, uint32_t *ret)
{
	if (s->n_free) {
		*ret = s->free_slots[--s->n_free] + SLOTS;
		return 0;
	}
	if (s->n_slots == s->max_slots)
		return -EFBIG;

	uint32_t *more = grow(s->free_slots, s->n_slots, &s->cap_free, 256, sizeof(*more));

	if (!more)
		return -ENOMEM;
	s->free_slots = more;
	*ret = s->n_slots++ + SLOTS;
	return 0;
}

static int place_of(const struct page_store *s, uint32_t value, off_t *ret_at)
{
	bool in_memory = value & IN_MEMORY;

	*ret_at = (off_t)(in_memory ? value & ~IN_MEMORY : value - SLOTS) * PAGE_STORE_PAGE;
	return in_memory ? s->spill : s->fd;
}

static int write_slot(const struct page_store *s, uint32_t value, const uint8_t *bytes)
{
	off_t at;
	int fd = place_of(s, value, &at);
	ssize_t n = pwrite(fd, bytes, PAGE_STORE_PAGE, at);

	return n == PAGE_STORE_PAGE ? 0 : n < 0 ? -errno : -ENOSPC;
}

static bool read_slot(const struct page_store *s, uint32_t value, uint8_t *bytes)
{
	off_t at;
	int fd = place_of(s, value, &at);

	return pread(fd, bytes, PAGE_STORE_PAGE, at) == PAGE_STORE_PAGE;
}

/* Return: 0, -EFBIG, -ENOMEM, -ENOSPC ... */
static int write_page(struct page_store *s, uint32_t *next, const uint8_t *bytes)
{
	/* one that came twice for this image has a slot that nobody else has */
	int r = *next >= SLOTS ? 0 : take_slot(s, next);

	if (!r)
		r = write_slot(s, *next, bytes);
	if (!r || s->spill < 0)
		return r;
	free_slot(s, *next);
	*next = s->n_memory++ | IN_MEMORY;
	return write_slot(s, *next, bytes);
}

void page_store_spill(struct page_store *s)
{
	if (s->spill < 0) /* fails: as without it */
		s->spill = memfd_create("checkpoint", MFD_CLOEXEC);
}

/* ---------------------------------------------------------------- an image */

static void set_next(struct page_store *s, uint32_t *next, uint32_t value)
{
	free_slot(s, *next);
	*next = value;
}

int page_store_put(struct page_store *s, uint64_t at, uint32_t n, enum page_store_kind kind,
		   const uint8_t *bytes, struct err *e)
{
	for (uint32_t i = 0; i < n; i++, at += PAGE_STORE_PAGE) {
		struct page_store_chunk *c = chunk_of(s, at);
		uint32_t *next;
		int r = 0;

		if (!c)
			return err_set(e, -ENOMEM, "no memory to know where its pages are");
		next = &c->next[at % CHUNK_BYTES / PAGE_STORE_PAGE];
		if (kind == PAGE_STORE_BYTES)
			r = write_page(s, next, bytes + (size_t)i * PAGE_STORE_PAGE);
		else
			set_next(s, next, kind == PAGE_STORE_ZERO ? ZERO : ABSENT);
		if (r == -EFBIG)
			return err_set(e, r, "its image is larger than the limit of %llu MiB",
				       (unsigned long long)s->max_slots * PAGE_STORE_PAGE >> 20);
		if (r < 0)
			return err_set(e, r, "write its image: %s", strerror(-r));
	}
	return 0;
}

void page_store_absent(struct page_store *s, uint64_t at, uint64_t end)
{
	for (size_t i = place(s, at); i < s->n && s->chunks[i].base < end; i++) {
		struct page_store_chunk *c = &s->chunks[i];

		for (size_t k = 0; k < CHUNK_PAGES; k++) {
			uint64_t page = c->base + k * PAGE_STORE_PAGE;

			if (page >= at && page < end && (c->next[k] || c->kept[k]))
				set_next(s, &c->next[k], ABSENT);
		}
	}
}

void page_store_commit(struct page_store *s)
{
	for (size_t i = 0; i < s->n; i++) {
		struct page_store_chunk *c = &s->chunks[i];

		for (size_t k = 0; k < CHUNK_PAGES; k++) {
			if (c->next[k] == UNKNOWN)
				continue;
			free_slot(s, c->kept[k]);
			c->kept[k] = c->next[k];
			c->next[k] = UNKNOWN;
			c->there[k] = false;
		}
	}
}

void page_store_discard(struct page_store *s)
{
	for (size_t i = 0; i < s->n; i++)
		for (size_t k = 0; k < CHUNK_PAGES; k++)
			set_next(s, &s->chunks[i].next[k], UNKNOWN);
}

static int name_page(const struct page_store *s, uint64_t at, uint32_t v, page_store_fn *fn,
		     void *owner, struct err *e)
{
	uint8_t page[PAGE_STORE_PAGE];

	if (v < SLOTS)
		return fn(owner, at, v == ZERO ? PAGE_STORE_ZERO : PAGE_STORE_ABSENT, NULL, e);
	if (!read_slot(s, v, page))
		return err_set(e, -EIO, "its image cannot be read any more");
	return fn(owner, at, PAGE_STORE_BYTES, page, e);
}

int page_store_some(struct page_store *s, uint64_t *from, size_t n, page_store_fn *fn, void *owner,
		    struct err *e)
{
	size_t i = place(s, *from);

	for (; i < s->n && n; i++, n--) {
		struct page_store_chunk *c = &s->chunks[i];

		for (size_t k = 0; k < CHUNK_PAGES; k++) {
			int r = c->kept[k] == UNKNOWN || c->there[k]
					? 0
					: name_page(s, c->base + k * PAGE_STORE_PAGE, c->kept[k],
						    fn, owner, e);

			if (r < 0)
				return r;
			c->there[k] |= r == 1;
		}
		*from = c->base + CHUNK_BYTES;
	}
	return i < s->n;
}

int page_store_each(struct page_store *s, page_store_fn *fn, void *owner, struct err *e)
{
	uint64_t from = 0;

	return page_store_some(s, &from, SIZE_MAX, fn, owner, e);
}
