/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "image/change.h"

#define NEVER_BUILT (IMAGE_MAP_VDSO | IMAGE_MAP_VSYSCALL)
/* READONLY: it may be learnt late, and what was built without it can be made writable */
#define IDENTITY                                                                                   \
	(IMAGE_MAP_FILE | IMAGE_MAP_SHARED | IMAGE_MAP_GROWSDOWN | IMAGE_MAP_READONLY |            \
	 IMAGE_MAP_BEYOND)

/* the first mapping of ours that ends behind an address, from index *i on */
static const struct image_mapping *behind(const struct image *m, size_t *i, uint64_t at)
{
	while (*i < m->n_mappings &&
	       (m->mappings[*i].end <= at || m->mappings[*i].flags & NEVER_BUILT))
		(*i)++;
	return *i < m->n_mappings ? &m->mappings[*i] : NULL;
}

/* what the host maps of a file of its own it shows as one; so this is memory that came in its place */
static bool lost_file(const struct image_mapping *a, const struct image_mapping *b)
{
	return a->file && !(b->flags & IMAGE_MAP_FILE);
}

static bool is_same(const struct image_mapping *a, const struct image_mapping *b,
		    enum image_identity by)
{
	if (by == IMAGE_BY_PLACE)
		return !((a->flags ^ b->flags) & (IMAGE_MAP_SHARED | IMAGE_MAP_BEYOND)) &&
		       !lost_file(a, b) && !lost_file(b, a);
	if ((a->flags & IDENTITY) != (b->flags & IDENTITY))
		return false;
	return !(a->flags & IMAGE_MAP_FILE) ||
	       (a->inode == b->inode && a->major == b->major && a->minor == b->minor &&
		a->offset - a->start == b->offset - b->start);
}

/* what becomes of [at, *end) of an old mapping; *end is cut to where that changes */
static bool becomes(const struct image_mapping *old, const struct image *to, size_t *k, uint64_t at,
		    enum image_identity by, uint64_t *end, const struct image_mapping **ret)
{
	const struct image_mapping *w = behind(to, k, at);

	*ret = w;
	if (!w)
		return false;
	if (w->start > at) {
		*end = w->start < *end ? w->start : *end;
		return false;
	}
	*end = w->end < *end ? w->end : *end;
	return is_same(old, w, by);
}

static int tell_old(const struct image *from, const struct image *to, enum image_identity by,
		    image_change_fn *fn, void *owner)
{
	size_t i = 0, k = 0;
	uint64_t at = 0;
	const struct image_mapping *v;
	int r = 0;

	for (; !r && (v = behind(from, &i, at));) {
		const struct image_mapping *w;
		uint64_t end = v->end;

		at = at < v->start ? v->start : at;
		if (!becomes(v, to, &k, at, by, &end, &w))
			r = fn(owner, IMAGE_GONE, at, end, NULL);
		else if (w->prot != v->prot)
			r = fn(owner, IMAGE_PROTECT, at, end, w);
		at = end;
	}
	return r;
}

/* in one piece what is one mapping, however many others were in its place before */
static int tell_new(const struct image *from, const struct image *to, enum image_identity by,
		    image_change_fn *fn, void *owner)
{
	const struct image_mapping *v, *piece = NULL;
	uint64_t at = 0, start = 0;
	size_t i = 0, k = 0;
	int r = 0;

	for (; !r && (v = behind(to, &i, at));) {
		const struct image_mapping *w;
		uint64_t end = v->end;
		bool new;

		at = at < v->start ? v->start : at;
		new = !becomes(v, from, &k, at, by, &end, &w);
		if (new &&piece != v) {
			piece = v;
			start = at;
		}
		if (!new &&piece == v && start < at)
			r = fn(owner, IMAGE_NEW, start, at, v);
		if (!new)
			piece = NULL;
		else if (end == v->end)
			r = fn(owner, IMAGE_NEW, start, end, v);
		at = end;
	}
	return r;
}

int image_changes(const struct image *from, const struct image *to, enum image_identity by,
		  image_change_fn *fn, void *owner)
{
	int r = tell_old(from, to, by, fn, owner);

	return r ? r : tell_new(from, to, by, fn, owner);
}
