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

/* [from, to) of a mapping becomes one of its own; -E2BIG. *ret is good until the next one is added */
static int part(struct image *m, size_t i, uint64_t from, uint64_t to, struct image_mapping **ret,
		struct err *e)
{
	struct image_mapping *v = split(m, i, from);

	i = v ? (size_t)(v - m->mappings) : 0;
	if (!v || (to < v->end && !split(m, i, to)))
		return m->n_mappings == IMAGE_MAPPINGS_MAX
			       ? err_set(e, -E2BIG, "it has more than %d mappings",
					 IMAGE_MAPPINGS_MAX)
			       : err_set(e, -ENOMEM, "no memory for a list of its mappings");
	*ret = &m->mappings[i];
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
		struct image_mapping *v = &m->mappings[i];

		v->flags &= ~(uint32_t)IMAGE_MAP_BEYOND;
		if (!may_end(v) || is_there(pid, v->end - IMAGE_PAGE))
			continue;
		r = part(m, i, find_end(pid, v), v->end, &v, e);
		if (!r)
			v->flags |= IMAGE_MAP_BEYOND;
	}
	sort(m);
	return r;
}

/* what of "v" is a mapping of a file now */
static int keep(const struct image_mapping *v, struct image *m, struct err *e)
{
	int r = 0;

	for (size_t i = 0, n = m->n_mappings; !r && i < n; i++) {
		struct image_mapping *w = &m->mappings[i];
		uint64_t from = v->start > w->start ? v->start : w->start;
		uint64_t to = v->end < w->end ? v->end : w->end;

		if (from >= to || !(w->flags & IMAGE_MAP_FILE))
			continue;
		r = part(m, i, from, to, &w, e);
		if (!r) {
			w->flags |= v->flags & IMAGE_MAP_BEYOND;
			w->file = v->file;
		}
	}
	return r;
}

int ends_keep(const struct image *before, struct image *m, struct err *e)
{
	int r = 0;

	for (size_t i = 0; !r && i < before->n_mappings; i++)
		if (before->mappings[i].flags & IMAGE_MAP_BEYOND || before->mappings[i].file)
			r = keep(&before->mappings[i], m, e);
	sort(m);
	return r;
}

bool ends_is_beyond(const struct image *m, uint64_t at)
{
	const struct image_mapping *v = image_at(m, at);

	return v && v->flags & IMAGE_MAP_BEYOND;
}
