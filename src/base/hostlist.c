/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hostlist.c - "n[1-40,!7],head" to names */
#include "base/hostlist.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

void hostlist_done(struct hostlist *h)
{
	for (size_t i = 0; i < h->n; i++)
		free(h->names[i]);
	free(h->names);
	*h = (struct hostlist){ 0 };
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

static int add(struct hostlist *h, const char *name, struct err *e)
{
	char **p;

	if (!name_ok(name))
		return err_set(e, -EINVAL, "'%s' is no node name", name);
	for (size_t i = 0; i < h->n; i++)
		if (!strcmp(h->names[i], name))
			return 0;
	if (h->n == HOSTLIST_MAX)
		return err_set(e, -E2BIG, "more than %d nodes", HOSTLIST_MAX);
	p = realloc(h->names, (h->n + 1) * sizeof(*p));
	if (!p)
		return err_set(e, -ENOMEM, "out of memory");
	h->names = p;
	p[h->n] = strdup(name);
	if (!p[h->n])
		return err_set(e, -ENOMEM, "out of memory");
	h->n++;
	return 0;
}

static void drop(struct hostlist *h, const char *name)
{
	for (size_t i = 0; i < h->n; i++)
		if (!strcmp(h->names[i], name)) {
			free(h->names[i]);
			memmove(&h->names[i], &h->names[i + 1], (h->n - i - 1) * sizeof(*h->names));
			h->n--;
			return;
		}
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
static int expand(struct hostlist *h, const char *pre, const char *s, const char *post,
		  struct err *e)
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
		if (hi - lo >= HOSTLIST_MAX)
			return err_set(e, -E2BIG, "more than %d nodes", HOSTLIST_MAX);
		for (uint32_t v = lo; v <= hi; v++) {
			char name[HOSTLIST_NAME_MAX * 2];
			int n = snprintf(name, sizeof(name), "%s%0*u%s", pre, width, v, post);

			if (n < 0 || (size_t)n >= sizeof(name))
				return err_set(e, -EINVAL, "name too long: '%s...'", pre);
			if (out)
				drop(h, name);
			else {
				int r = add(h, name, e);

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

static int add_part(struct hostlist *h, char *part, struct err *e)
{
	char *open = strchr(part, '['), *close;

	if (!open)
		return add(h, part, e);
	close = strchr(open, ']');
	if (!close || strchr(close, '['))
		return err_set(e, -EINVAL, "one [...] is wanted in '%s'", part);
	*open = '\0';
	*close = '\0';
	return expand(h, part, open + 1, close + 1, e);
}

int hostlist_parse(const char *s, struct hostlist *ret, struct err *e)
{
	AUTO_FREE char *copy = strdup(s);
	struct hostlist h = { 0 };
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
		r = add_part(&h, part, e);
		part = p + 1;
		if (end)
			break;
	}
	if (r < 0) {
		hostlist_done(&h);
		return r;
	}
	*ret = h;
	return 0;
}
