/* SPDX-License-Identifier: GPL-2.0-or-later */
/* member.c - the table of members: an array, and a hash from id to place */
#include "cluster/member.h"

#include <assert.h>
#include <errno.h>

#define SLOTS_MIN 16

static uint32_t slot_of(const struct member_table *t, uint32_t id)
{
	return (uint32_t)((id * 0x9e3779b97f4a7c15ULL) >> 32) & (t->n_slots - 1);
}

void members_init(struct member_table *t, uint32_t max)
{
	*t = (struct member_table){ .max = max };
}

void members_done(struct member_table *t)
{
	for (uint32_t i = 0; i < t->n; i++)
		free(t->v[i].name);
	free(t->v);
	free(t->slots);
	*t = (struct member_table){ 0 };
}

/* the slot that holds id, or the free one where it would go */
static uint32_t slot_find(const struct member_table *t, uint32_t id)
{
	uint32_t s = slot_of(t, id);

	while (t->slots[s] && t->v[t->slots[s] - 1].id != id)
		s = (s + 1) & (t->n_slots - 1);
	return s;
}

struct member *member_find(const struct member_table *t, uint32_t id)
{
	uint32_t s;

	if (t->n == 0)
		return NULL;
	s = slot_find(t, id);
	return t->slots[s] ? &t->v[t->slots[s] - 1] : NULL;
}

/* at most half full */
static int slots_grow(struct member_table *t)
{
	uint32_t n = t->n_slots ? t->n_slots * 2 : SLOTS_MIN;
	uint32_t *slots;

	if (t->n_slots >= (t->n + 1) * 2)
		return 0;
	slots = calloc(n, sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	free(t->slots);
	t->slots = slots;
	t->n_slots = n;
	for (uint32_t i = 0; i < t->n; i++)
		t->slots[slot_find(t, t->v[i].id)] = i + 1;
	return 0;
}

int member_add(struct member_table *t, uint32_t id, struct member **ret)
{
	int r;

	if (t->n >= t->max)
		return -ENOSPC;
	if (t->n == t->cap) {
		uint32_t cap = t->cap ? t->cap + t->cap / 2 : 8;
		struct member *v = realloc(t->v, cap * sizeof(*v));

		if (!v)
			return -ENOMEM;
		t->v = v;
		t->cap = cap;
	}
	r = slots_grow(t);
	if (r < 0)
		return r;
	t->v[t->n] = (struct member){ .id = id };
	t->slots[slot_find(t, id)] = t->n + 1;
	*ret = &t->v[t->n++];
	return 0;
}

void member_remove(struct member_table *t, struct member *m)
{
	uint32_t s = slot_find(t, m->id), last = t->n - 1;

	assert(m != t->v);
	free(m->name);
	/* close the gap in the chain of slots (Knuth, TAOCP 3, 6.4 R) */
	t->slots[s] = 0;
	for (uint32_t next = (s + 1) & (t->n_slots - 1); t->slots[next];
	     next = (next + 1) & (t->n_slots - 1)) {
		uint32_t home = slot_of(t, t->v[t->slots[next] - 1].id);
		bool stays = s <= next ? s < home && home <= next : s < home || home <= next;

		if (stays)
			continue;
		t->slots[s] = t->slots[next];
		t->slots[next] = 0;
		s = next;
	}
	if (m != &t->v[last]) {
		t->slots[slot_find(t, t->v[last].id)] = (uint32_t)(m - t->v) + 1;
		*m = t->v[last];
	}
	t->n--;
}

size_t members_memory(const struct member_table *t)
{
	size_t bytes = t->cap * sizeof(*t->v) + t->n_slots * sizeof(*t->slots);

	for (uint32_t i = 0; i < t->n; i++)
		bytes += t->v[i].name ? strlen(t->v[i].name) + 1 : 0;
	return bytes;
}
