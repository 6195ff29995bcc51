/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * directory.c - who is in the cluster: number, name, role, address
 *
 * An array in the order of serials: a changed entry moves to the end. So "what is new" is the tail,
 * and the few look-ups by number and name (a stream is opened, a node was unheard of) may walk.
 */
#include "node/directory.h"

#include <errno.h>

struct directory {
	struct dir_entry *rows; /* ascending serials */
	uint32_t n, cap;
	uint64_t serial;
};

int directory_new(struct directory **ret)
{
	*ret = calloc(1, sizeof(**ret));
	return *ret ? 0 : -ENOMEM;
}

void directory_free(struct directory *d)
{
	if (!d)
		return;
	free(d->rows);
	free(d);
}

static struct dir_entry *row_of(const struct directory *d, uint32_t id)
{
	for (uint32_t i = 0; i < d->n; i++)
		if (d->rows[i].id == id)
			return &d->rows[i];
	return NULL;
}

void directory_remove(struct directory *d, uint32_t id)
{
	struct dir_entry *row = row_of(d, id);

	if (!row)
		return;
	memmove(row, row + 1, (size_t)(d->rows + d->n - row - 1) * sizeof(*row));
	d->n--;
}

static bool same(const struct dir_entry *a, const struct dir_entry *b)
{
	return a->role == b->role && a->relayed == b->relayed && a->stamp == b->stamp &&
	       a->known_address == b->known_address && !strcmp(a->name, b->name) &&
	       (!a->known_address ||
		(a->addr.len == b->addr.len && !memcmp(&a->addr.ss, &b->addr.ss, a->addr.len)));
}

int directory_put(struct directory *d, const struct dir_entry *e)
{
	const struct dir_entry *old = row_of(d, e->id);

	if (old && ((old->stamp && e->stamp <= old->stamp) || same(old, e)))
		return 0;
	if (!old && d->n == DIRECTORY_MAX)
		return -ENOSPC;
	if (d->n == d->cap) {
		uint32_t cap = d->cap ? d->cap * 2 : 16;
		struct dir_entry *p = realloc(d->rows, cap * sizeof(*p));

		if (!p)
			return -ENOMEM;
		d->rows = p;
		d->cap = cap;
	}
	directory_remove(d, e->id);
	d->rows[d->n] = *e;
	d->rows[d->n++].serial = ++d->serial;
	return 1;
}

const struct dir_entry *directory_get(const struct directory *d, uint32_t id)
{
	return row_of(d, id);
}

const struct dir_entry *directory_find(const struct directory *d, const char *name)
{
	const struct dir_entry *found = NULL;

	/* a name that was given again belongs to the newer number */
	for (uint32_t i = 0; i < d->n; i++)
		if (!strcmp(d->rows[i].name, name) && (!found || d->rows[i].id > found->id))
			found = &d->rows[i];
	return found;
}

const struct dir_entry *directory_after(const struct directory *d, uint64_t serial)
{
	uint32_t from = 0, to = d->n;

	while (from < to) {
		uint32_t mid = from + (to - from) / 2;

		if (d->rows[mid].serial > serial)
			to = mid;
		else
			from = mid + 1;
	}
	return from < d->n ? &d->rows[from] : NULL;
}

uint64_t directory_serial(const struct directory *d)
{
	return d->serial;
}

uint32_t directory_count(const struct directory *d)
{
	return d->n;
}

const struct dir_entry *directory_at(const struct directory *d, uint32_t i)
{
	return &d->rows[i];
}
