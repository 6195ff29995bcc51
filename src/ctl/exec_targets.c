/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exec_targets.c - the nodes that a word like "@alive,!n3,s[1-2]" names */
#include "ctl/exec_targets.h"

#include <errno.h>

#include "ctl/command.h"
#include "net/local.h"

#define MEMBERS_MAX 1000000

static bool is_all(const struct exec_member *m)
{
	return !m->gone;
}

static bool is_alive(const struct exec_member *m)
{
	return m->alive;
}

static bool is_server(const struct exec_member *m)
{
	return !m->gone && !m->desktop;
}

static bool is_desktop(const struct exec_member *m)
{
	return !m->gone && m->desktop;
}

static const struct {
	const char *name;
	bool (*has)(const struct exec_member *m);
} groups[] = {
	{ "@all", is_all },
	{ "@alive", is_alive },
	{ "@servers", is_server },
	{ "@desktops", is_desktop },
};

/* a flag beside each member says whether it is meant, a list keeps the order */
struct choice {
	const struct exec_members *m;
	bool *in;      /* owned */
	size_t *order; /* owned; n_order <= m->n, out of the list again: in[] is false */
	size_t n_order;
};

static int by_name(const void *a, const void *b)
{
	const struct exec_member *x = a, *y = b;

	return strcmp(x->name, y->name);
}

void exec_members_sort(struct exec_members *m)
{
	if (m->n)
		qsort(m->rows, m->n, sizeof(*m->rows), by_name);
}

void exec_members_done(struct exec_members *m)
{
	free(m->rows);
	*m = (struct exec_members){ 0 };
}

static int add_member(struct exec_members *m, size_t *cap, const Cmx__Member *from, struct err *e)
{
	struct exec_member *r;
	int n;

	if (m->n == *cap) {
		size_t more = *cap ? 2 * *cap : 64;

		r = more <= MEMBERS_MAX ? realloc(m->rows, more * sizeof(*r)) : NULL;
		if (!r)
			return err_set(e, -ENOMEM, "out of memory for the list of nodes");
		m->rows = r;
		*cap = more;
	}
	r = &m->rows[m->n];
	*r = (struct exec_member){
		.desktop = !strcmp(from->role, "desktop"),
		.alive = !strcmp(from->state, "alive"),
		.gone = !strcmp(from->state, "left") || !strcmp(from->state, "revoked"),
		.self = from->self,
	};
	n = snprintf(r->name, sizeof(r->name), "%s", from->name);
	if (n > 0 && (size_t)n < sizeof(r->name))
		m->n++; /* a name that does not fit cannot be typed either */
	return 0;
}

static int read_snapshot(struct local *l, struct exec_members *m, struct err *e)
{
	size_t cap = 0;
	struct frame f;
	int r;

	while ((r = local_next(l, &f, e)) == 1) {
		AUTO_MESSAGE Cmx__Member *row = NULL;

		if (f.type != FRAME_MEMBER)
			continue; /* OPEN_OK, or what a newer daemon says beside it */
		row = message_get(&cmx__member__descriptor, f.payload, f.len, e);
		if (!row)
			return -EPROTO;
		if (row->end_of_snapshot)
			return 0;
		r = add_member(m, &cap, row, e);
		if (r < 0)
			return r;
	}
	return r < 0 ? r : err_set(e, -EPIPE, "comosixd closed before it had named all nodes");
}

int exec_members_ask(struct exec_members *ret, int *ret_status, struct err *e)
{
	Cmx__Open open = CMX__OPEN__INIT;
	struct exec_members m = { 0 };
	struct local l;
	int r;

	*ret_status = EXIT_ERROR;
	open.kind = CMX__OPEN_KIND__OPEN_MEMBERS;
	r = local_open(&l, NULL, &open, ret_status, e);
	if (r < 0)
		return r;
	r = read_snapshot(&l, &m, e);
	local_close(&l);
	if (r < 0) {
		exec_members_done(&m);
		return r;
	}
	exec_members_sort(&m);
	*ret = m;
	return 0;
}

static void choose(struct choice *c, size_t i, bool in)
{
	if (in == c->in[i])
		return;
	c->in[i] = in;
	if (in) {
		c->order[c->n_order++] = i;
		return;
	}
	for (size_t k = 0; k < c->n_order; k++)
		if (c->order[k] == i) {
			memmove(&c->order[k], &c->order[k + 1],
				(c->n_order - k - 1) * sizeof(*c->order));
			c->n_order--;
			return;
		}
}

static int choose_group(struct choice *c, const char *name, bool in, struct err *e)
{
	for (size_t g = 0; g < ARRAY_LEN(groups); g++) {
		if (strcmp(groups[g].name, name) != 0)
			continue;
		for (size_t i = 0; i < c->m->n; i++)
			if (groups[g].has(&c->m->rows[i]))
				choose(c, i, in);
		return 0;
	}
	return err_set(e, -EINVAL, "no group '%s'; there are @all, @alive, @servers and @desktops",
		       name);
}

static int choose_names(struct choice *c, const char *list, bool in, struct err *e)
{
	struct hostlist h;
	int r = hostlist_parse(list, &h, e);

	if (r < 0)
		return r;
	for (size_t i = 0; !r && i < h.n; i++) {
		struct exec_member key;
		const struct exec_member *found = NULL;

		(void)snprintf(key.name, sizeof(key.name), "%s", h.names[i]);
		if (c->m->n)
			found = bsearch(&key, c->m->rows, c->m->n, sizeof(key), by_name);
		if (found)
			choose(c, (size_t)(found - c->m->rows), in);
		else
			r = err_set(e, -ENOENT,
				    "no node '%s' is known here; 'comosix nodes' lists "
				    "them, one that has just started may need some seconds",
				    h.names[i]);
	}
	hostlist_done(&h);
	return r;
}

static int choose_part(struct choice *c, const char *part, struct err *e)
{
	bool in = part[0] != '!';

	if (!in)
		part++;
	return part[0] == '@' ? choose_group(c, part, in, e) : choose_names(c, part, in, e);
}

static int choose_all(struct choice *c, char *word, struct err *e)
{
	char *part = word;
	int depth = 0;

	for (char *p = word;; p++) {
		char was = *p;
		int r;

		depth += was == '[' ? 1 : was == ']' ? -1 : 0;
		if (was && (was != ',' || depth > 0))
			continue;
		*p = '\0';
		r = choose_part(c, part, e);
		if (r < 0 || !was)
			return r;
		part = p + 1;
	}
}

static int take_choice(const struct choice *c, struct exec_target **ret, size_t *ret_n)
{
	struct exec_target *t = calloc(c->n_order, sizeof(*t));

	if (!t)
		return -ENOMEM;
	for (size_t i = 0; i < c->n_order; i++) {
		const struct exec_member *m = &c->m->rows[c->order[i]];

		memcpy(t[i].name, m->name, sizeof(t[i].name));
		t[i].desktop = m->desktop;
	}
	*ret = t;
	*ret_n = c->n_order;
	return 0;
}

int exec_targets_find(const char *word, const struct exec_members *m, struct exec_target **ret,
		      size_t *ret_n, struct err *e)
{
	struct choice c = { .m = m };
	AUTO_FREE char *copy = strdup(word);
	AUTO_FREE bool *in = calloc(m->n + 1, sizeof(*in));
	AUTO_FREE size_t *order = calloc(m->n + 1, sizeof(*order));
	int r;

	if (!copy || !in || !order)
		return err_set(e, -ENOMEM, "out of memory");
	c.in = in;
	c.order = order;
	r = choose_all(&c, copy, e);
	if (r < 0)
		return r;
	if (!c.n_order)
		return err_set(e, -ENOENT, "'%s' is no node at the moment", word);
	r = take_choice(&c, ret, ret_n);
	return r < 0 ? err_set(e, r, "out of memory") : 0;
}
