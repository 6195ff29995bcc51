/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * directory.c - who is in the cluster: number, name, role, address
 *
 * An array in the order of serials: a changed entry moves to the end, so that "what is new" is the
 * tail. Each datagram asks for a number: an open-addressed index has the rows by number; it is made
 * anew at each change, which are few. Names are asked for by people: that walks.
 */
#include "node/directory.h"

#include <errno.h>

struct directory {
	struct dir_entry *rows; /* ascending serials */
	uint32_t n, cap;
	uint64_t serial;
	uint32_t *index; /* row + 1; 0: empty; index_size is a power of two, at least 2 * cap */
	uint32_t index_size;
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
	free(d->index);
	free(d);
}

static uint32_t slot_of(const struct directory *d, uint32_t id)
{
	uint32_t at = id * 2654435761U & (d->index_size - 1); /* Knuth's multiplicative hash */

	while (d->index[at] && d->rows[d->index[at] - 1].id != id)
		at = (at + 1) & (d->index_size - 1);
	return at;
}

static struct dir_entry *row_of(const struct directory *d, uint32_t id)
{
	uint32_t row = d->index_size ? d->index[slot_of(d, id)] : 0;

	return row ? &d->rows[row - 1] : NULL;
}

static void reindex(struct directory *d)
{
	memset(d->index, 0, d->index_size * sizeof(*d->index));
	for (uint32_t i = 0; i < d->n; i++)
		d->index[slot_of(d, d->rows[i].id)] = i + 1;
}

static int grow(struct directory *d)
{
	uint32_t cap = d->cap ? d->cap * 2 : 16;
	struct dir_entry *rows = realloc(d->rows, cap * sizeof(*rows));
	uint32_t *index;

	if (!rows)
		return -ENOMEM;
	d->rows = rows;
	index = calloc(2 * (size_t)cap, sizeof(*index));
	if (!index)
		return -ENOMEM;
	free(d->index);
	d->index = index;
	d->index_size = 2 * cap;
	d->cap = cap;
	reindex(d);
	return 0;
}

void directory_remove(struct directory *d, uint32_t id)
{
	struct dir_entry *row = row_of(d, id);

	if (!row)
		return;
	memmove(row, row + 1, (size_t)(d->rows + d->n - row - 1) * sizeof(*row));
	d->n--;
	reindex(d);
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
	if (d->n == d->cap && grow(d) < 0)
		return -ENOMEM;
	directory_remove(d, e->id);
	d->rows[d->n] = *e;
	d->rows[d->n++].serial = ++d->serial;
	d->index[slot_of(d, e->id)] = d->n;
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
