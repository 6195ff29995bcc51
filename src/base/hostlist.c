/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hostlist.c - "n[1-40,!7],head" to names */
#include "base/hostlist.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

#define HOSTLIST_WORK (4 * HOSTLIST_MAX)

/*
 * The list while it is made. Names are found again through a hash table of their places, so that
 * 65536 of them cost no more than 65536 steps. A name taken out leaves a NULL in its place, which
 * is closed up at the end. Work is bounded too: "n[0-65535,0-65535,...]" names few but asks much.
 */
struct build {
	char **names; /* owned; NULL: taken out */
	size_t n, cap;
	size_t live;	 /* names that are not NULL */
	size_t work;	 /* names put in or taken out so far */
	uint32_t *slots; /* owned; place + 1, 0 is free; cap * 2 of them, a power of two */
};

void hostlist_done(struct hostlist *h)
{
	for (size_t i = 0; i < h->n; i++)
		free(h->names[i]);
	free(h->names);
	*h = (struct hostlist){ 0 };
}

static void build_done(struct build *b)
{
	for (size_t i = 0; i < b->n; i++)
		free(b->names[i]);
	free(b->names);
	free(b->slots);
}

static bool name_ok(const char *s)
{
	size_t len = strlen(s);

	if (!len || len > HOSTLIST_NAME_MAX || !isalnum((unsigned char)*s))
		return false;
	for (; *s; s++)
		if (!isalnum((unsigned char)*s) && *s != '-' && *s != '.' && *s != '_')
			return false;
	return true;
}

/* FNV-1a; the caller's own command line may collide as it likes, work is bounded */
static uint32_t hash(const char *s)
{
	uint32_t h = 2166136261U;

	for (; *s; s++)
		h = (h ^ (uint8_t)*s) * 16777619U;
	return h;
}

/* the slot that holds name, or the free one where it belongs; there always is a free one */
static uint32_t *slot_of(const struct build *b, const char *name)
{
	size_t mask = b->cap * 2 - 1;

	for (size_t i = hash(name) & mask;; i = (i + 1) & mask) {
		uint32_t place = b->slots[i];

		if (!place || (b->names[place - 1] && !strcmp(b->names[place - 1], name)))
			return &b->slots[i];
	}
}

static int grow(struct build *b)
{
	size_t cap = b->cap ? b->cap * 2 : 64;
	char **names = realloc(b->names, cap * sizeof(*names));
	uint32_t *slots;

	if (!names)
		return -ENOMEM;
	b->names = names;
	slots = calloc(cap * 2, sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	free(b->slots);
	b->slots = slots;
	b->cap = cap;
	for (size_t i = 0; i < b->n; i++)
		if (b->names[i])
			*slot_of(b, b->names[i]) = (uint32_t)i + 1;
	return 0;
}

static int add(struct build *b, const char *name, struct err *e)
{
	uint32_t *slot;

	if (!name_ok(name))
		return err_set(e, -EINVAL, "'%s' is no node name", name);
	if (b->n == b->cap && grow(b) < 0)
		return err_set(e, -ENOMEM, "out of memory");
	slot = slot_of(b, name);
	if (*slot)
		return 0;
	if (b->live == HOSTLIST_MAX)
		return err_set(e, -E2BIG, "more than %d nodes", HOSTLIST_MAX);
	b->names[b->n] = strdup(name);
	if (!b->names[b->n])
		return err_set(e, -ENOMEM, "out of memory");
	*slot = (uint32_t)++b->n;
	b->live++;
	return 0;
}

static void drop(struct build *b, const char *name)
{
	uint32_t place = b->cap ? *slot_of(b, name) : 0;

	if (!place)
		return;
	free(b->names[place - 1]);
	b->names[place - 1] = NULL;
	b->live--;
}

/* at most 9 digits, so that it fits */
static bool take_number(const char **s, uint32_t *ret, int *ret_width)
{
	uint32_t v = 0;
	int width = 0;

	for (; **s >= '0' && **s <= '9'; (*s)++, width++) {
		if (width == 9)
			return false;
		v = v * 10 + (uint32_t)(**s - '0');
	}
	*ret = v;
	*ret_width = width;
	return width > 0;
}

/* the inside of [...] */
static int expand(struct build *b, const char *pre, const char *s, const char *post, struct err *e)
{
	for (;;) {
		bool out = *s == '!';
		uint32_t lo, hi;
		int width, w2;

		if (out)
			s++;
		if (!take_number(&s, &lo, &width))
			return err_set(e, -EINVAL, "a number is wanted at '%s'", s);
		hi = lo;
		if (*s == '-') {
			s++;
			if (!take_number(&s, &hi, &w2) || hi < lo)
				return err_set(e, -EINVAL, "a range is wanted at '%s'", s);
		}
		b->work += (size_t)hi - lo + 1;
		if (b->work > HOSTLIST_WORK)
			return err_set(e, -E2BIG, "more than %d nodes named", HOSTLIST_WORK);
		for (uint32_t v = lo; v <= hi; v++) {
			char name[HOSTLIST_NAME_MAX * 2];
			int n = snprintf(name, sizeof(name), "%s%0*u%s", pre, width, v, post);

			if (n < 0 || (size_t)n >= sizeof(name))
				return err_set(e, -EINVAL, "name too long: '%s...'", pre);
			if (out)
				drop(b, name);
			else {
				int r = add(b, name, e);

				if (r < 0)
					return r;
			}
		}
		if (!*s)
			return 0;
		if (*s++ != ',')
			return err_set(e, -EINVAL, "',' is wanted at '%s'", s - 1);
	}
}

static int add_part(struct build *b, char *part, struct err *e)
{
	char *open = strchr(part, '['), *close;

	if (!open)
		return add(b, part, e);
	close = strchr(open, ']');
	if (!close || strchr(close, '['))
		return err_set(e, -EINVAL, "one [...] is wanted in '%s'", part);
	*open = '\0';
	*close = '\0';
	return expand(b, part, open + 1, close + 1, e);
}

/* hand the names over without the gaps */
static void finish(struct build *b, struct hostlist *ret)
{
	size_t n = 0;

	for (size_t i = 0; i < b->n; i++)
		if (b->names[i])
			b->names[n++] = b->names[i];
	*ret = (struct hostlist){ .names = b->names, .n = n };
	free(b->slots);
}

int hostlist_parse(const char *s, struct hostlist *ret, struct err *e)
{
	AUTO_FREE char *copy = strdup(s);
	struct build b = { 0 };
	char *part = copy;
	int depth = 0, r = 0;

	if (!copy)
		return err_set(e, -ENOMEM, "out of memory");
	for (char *p = copy; r == 0; p++) {
		depth += *p == '[' ? 1 : *p == ']' ? -1 : 0;
		if (*p && (*p != ',' || depth))
			continue;
		bool end = !*p;

		*p = '\0';
		r = add_part(&b, part, e);
		part = p + 1;
		if (end)
			break;
	}
	if (r == 0 && !b.live)
		r = err_set(e, -EINVAL, "'%.100s' names no node", s);
	if (r < 0) {
		build_done(&b);
		return r;
	}
	finish(&b, ret);
	return 0;
}
