/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ends.c - where files end before the memory that they are mapped to */
#include "migrate/ends.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "tracee/tracee.h"

static bool is_there(pid_t pid, uint64_t at)
{
	uint8_t byte;

	return tracee_read(pid, at, &byte, sizeof(byte)) == 0;
}

/* what may not be read tells nothing, nor does its end matter while that is so */
static bool may_end(const struct image_mapping *v)
{
	return v->flags & IMAGE_MAP_FILE && v->inode && !v->file && v->prot & PROT_READ;
}

/* the first page that is not there; its last one is not */
static uint64_t find_end(pid_t pid, const struct image_mapping *v)
{
	uint64_t low = v->start, high = v->end - IMAGE_PAGE;

	while (low < high) {
		uint64_t mid = low + ((high - low) / 2 & ~(IMAGE_PAGE - 1));

		if (is_there(pid, mid))
			low = mid + IMAGE_PAGE;
		else
			high = mid;
	}
	return high;
}

/* the part from "at" on becomes a mapping of its own, for now the image's last one; NULL: no room */
static struct image_mapping *split(struct image *m, size_t i, uint64_t at)
{
	struct image_mapping *behind, *v;

	if (at == m->mappings[i].start)
		return &m->mappings[i];
	behind = image_add_mapping(m);
	if (!behind)
		return NULL;
	v = &m->mappings[i];
	*behind = *v;
	behind->start = at;
	behind->offset += at - v->start;
	v->end = at;
	return behind;
}

/* nothing is there of [from, to), a part of one mapping */
static int mark(struct image *m, size_t i, uint64_t from, uint64_t to, struct err *e)
{
	struct image_mapping *behind = split(m, i, from);

	if (behind && to < behind->end && !split(m, (size_t)(behind - m->mappings), to))
		behind = NULL;
	if (!behind)
		return err_set(e, -E2BIG, "it has more than %d mappings", IMAGE_MAPPINGS_MAX);
	for (i = 0; i < m->n_mappings; i++)
		if (m->mappings[i].start == from)
			m->mappings[i].flags |= IMAGE_MAP_BEYOND;
	return 0;
}

static int by_place(const void *a, const void *b)
{
	const struct image_mapping *v = a, *w = b;

	return v->start < w->start ? -1 : v->start > w->start;
}

static void sort(struct image *m)
{
	qsort(m->mappings, m->n_mappings, sizeof(*m->mappings), by_place);
}

int ends_mark(pid_t pid, struct image *m, struct err *e)
{
	size_t n = m->n_mappings;
	int r = 0;

	for (size_t i = 0; !r && i < n; i++) {
		const struct image_mapping *v = &m->mappings[i];

		m->mappings[i].flags &= ~(uint32_t)IMAGE_MAP_BEYOND;
		if (may_end(v) && !is_there(pid, v->end - IMAGE_PAGE))
			r = mark(m, i, find_end(pid, v), v->end, e);
	}
	sort(m);
	return r;
}

/* the part of a mapping of a file that begins or goes on in "v" */
static int keep(const struct image_mapping *v, struct image *m, struct err *e)
{
	int r = 0;

	for (size_t i = 0, n = m->n_mappings; !r && i < n; i++) {
		const struct image_mapping *w = &m->mappings[i];
		uint64_t from = v->start > w->start ? v->start : w->start;
		uint64_t to = v->end < w->end ? v->end : w->end;

		if (from < to && w->flags & IMAGE_MAP_FILE)
			r = mark(m, i, from, to, e);
	}
	return r;
}

int ends_keep(const struct image *before, struct image *m, struct err *e)
{
	int r = 0;

	for (size_t i = 0; !r && i < before->n_mappings; i++)
		if (before->mappings[i].flags & IMAGE_MAP_BEYOND)
			r = keep(&before->mappings[i], m, e);
	sort(m);
	return r;
}

bool ends_are_before(const struct image *m, uint64_t at)
{
	for (size_t i = 0; i < m->n_mappings; i++)
		if (m->mappings[i].flags & IMAGE_MAP_BEYOND && m->mappings[i].start <= at &&
		    at < m->mappings[i].end)
			return true;
	return false;
}
