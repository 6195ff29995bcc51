/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hits.c - preliminary hits: read a dump, check what a worker sent, choose the candidates */
#include "blast/core/hits.h"

#include <errno.h>

/* E-values below are equal to BLAST+ when it ranks subjects (s_EvalueComp, core/blast_hits.c) */
#define EVALUE_ZERO 1e-180

/*
 * The same search on another processor gives E-values that differ in the last bits: the C library
 * computes exp() with or without fused multiply-add (measured: 1 of 1013 hits, by 2e-16). So this
 * much is no difference; and a list is cut with more than twice as much to spare, so that what is
 * taken as equal cannot push a subject out of it.
 */
#define EVALUE_SAME  1e-9
#define EVALUE_SPARE 4e-9

int dump_take(struct dump *d, struct buf *in, struct prelim_hit *ret)
{
	struct prelim_head head;

	if (!d->has_head) {
		if (in->len < sizeof(head))
			return 0;
		memcpy(&head, buf_bytes(in), sizeof(head));
		if (head.magic != PRELIM_MAGIC || head.version != PRELIM_VERSION)
			return -EPROTO;
		buf_eat(in, sizeof(head));
		d->has_head = true;
	}
	if (d->has_end)
		return in->len ? -EPROTO : 0;
	if (in->len < sizeof(*ret))
		return 0;
	memcpy(ret, buf_bytes(in), sizeof(*ret));
	buf_eat(in, sizeof(*ret));
	if (ret->flag == PRELIM_END) {
		if (ret->oid != d->n_hits || ret->query > 1)
			return -EPROTO;
		d->searches = ret->query;
		d->has_end = true;
		return 0;
	}
	if (ret->flag > PRELIM_END || d->n_hits == UINT32_MAX)
		return -EPROTO;
	d->n_hits++;
	return 1;
}

static int reserve(struct hits *h, size_t more)
{
	size_t cap = h->cap ? h->cap : 256;
	struct prelim_hit *v;

	while (cap < h->n + more)
		cap *= 2;
	if (cap == h->cap)
		return 0;
	v = realloc(h->v, cap * sizeof(*v));
	if (!v)
		return -ENOMEM;
	h->v = v;
	h->cap = cap;
	return 0;
}

int hits_add(struct hits *h, const struct prelim_hit *hit)
{
	int r = reserve(h, 1);

	if (!r)
		h->v[h->n++] = *hit;
	return r;
}

int hits_append(struct hits *h, const struct hits *from)
{
	int r = reserve(h, from->n);

	if (!r && from->n) {
		memcpy(h->v + h->n, from->v, from->n * sizeof(*from->v));
		h->n += from->n;
	}
	return r;
}

void hits_done(struct hits *h)
{
	free(h->v);
	*h = (struct hits){ 0 };
}

#define CMP(a, b) (((a) > (b)) - ((a) < (b)))

static int by_identity(const void *x, const void *y)
{
	const struct prelim_hit *a = x, *b = y;
	int c = CMP(a->flag, b->flag);

	if (!c)
		c = CMP(a->query, b->query);
	return c ? c : CMP(a->oid, b->oid);
}

/* one order for one set of hits; a subject may come several times with chunks */
static int by_content(const void *x, const void *y)
{
	const struct prelim_hit *a = x, *b = y;
	int c = by_identity(x, y);

	if (!c)
		c = CMP(a->evalue, b->evalue);
	return c ? c : CMP(a->limit, b->limit);
}

static double rank(const struct prelim_hit *h)
{
	return h->evalue < EVALUE_ZERO ? 0 : h->evalue;
}

static int by_rank(const void *x, const void *y)
{
	const struct prelim_hit *a = x, *b = y;
	int c = CMP(a->query, b->query);

	return c ? c : CMP(rank(a), rank(b));
}

static int by_oid(const void *x, const void *y)
{
	const uint32_t *a = x, *b = y;

	return CMP(*a, *b);
}

int hits_check(struct hits *h, uint32_t n_queries, uint32_t first, uint32_t last, struct err *e)
{
	if (h->n)
		qsort(h->v, h->n, sizeof(*h->v), by_content);
	for (size_t i = 0; i < h->n; i++) {
		const struct prelim_hit *v = &h->v[i];

		if (v->flag != PRELIM_HIT && v->flag != PRELIM_CHUNK)
			return err_set(e, -EPROTO, "a hit of an unknown kind");
		if (v->oid < first || v->oid >= last)
			return err_set(e, -EPROTO,
				       "sequence %u is outside of the fragment [%u, %u)", v->oid,
				       first, last);
		if (v->flag == PRELIM_HIT && v->query >= n_queries)
			return err_set(e, -EPROTO, "query %u in a batch of %u", v->query,
				       n_queries);
		if (!(v->evalue >= 0) || !v->limit)
			return err_set(e, -EPROTO, "an impossible E-value or limit");
		if (i && v->flag == PRELIM_HIT && !by_identity(v, v - 1))
			return err_set(e, -EPROTO, "sequence %u came twice for query %u", v->oid,
				       v->query);
	}
	return 0;
}

static bool within(const struct prelim_hit *v, uint32_t first, uint32_t last)
{
	return v->oid >= first && v->oid < last;
}

static bool same_evalue(double a, double b)
{
	double larger = a > b ? a : b;

	return larger < EVALUE_ZERO || larger - (a > b ? b : a) <= larger * EVALUE_SAME;
}

bool hits_same(const struct hits *h, uint32_t first, uint32_t last, const struct hits *other)
{
	size_t k = 0;

	for (size_t i = 0; i < h->n; i++) {
		const struct prelim_hit *a = &h->v[i], *b;

		if (!within(a, first, last))
			continue;
		if (k == other->n)
			return false;
		b = &other->v[k++];
		if (by_identity(a, b) || a->limit != b->limit || !same_evalue(a->evalue, b->evalue))
			return false;
	}
	return k == other->n;
}

void hits_drop(struct hits *h, uint32_t first, uint32_t last)
{
	size_t n = 0;

	for (size_t i = 0; i < h->n; i++)
		if (!within(&h->v[i], first, last))
			h->v[n++] = h->v[i];
	h->n = n;
}

/* the largest E-value that is kept when this one is the last that counts */
static double last_kept(const struct prelim_hit *h)
{
	return (h->evalue < EVALUE_ZERO ? EVALUE_ZERO : h->evalue) * (1 + EVALUE_SPARE);
}

int hits_choose(struct hits *h, uint32_t **ret, uint32_t *ret_n)
{
	uint32_t *oids = malloc((h->n + 1) * sizeof(*oids));
	bool cut = true;
	size_t n = 0, kept = 0;

	if (!oids)
		return -ENOMEM;
	for (size_t i = 0; i < h->n; i++)
		cut = cut && h->v[i].flag == PRELIM_HIT;
	if (cut && h->n)
		qsort(h->v, h->n, sizeof(*h->v), by_rank);
	for (size_t i = 0, start = 0; i < h->n; i++) {
		const struct prelim_hit *v = &h->v[i];

		if (v->query != h->v[start].query)
			start = i;
		/* hits of a query are in order of rank; the P-th one's equals are kept as well */
		if (cut && i - start >= v->limit &&
		    v->evalue > last_kept(&h->v[start + v->limit - 1]))
			continue;
		oids[n++] = v->oid;
	}
	if (n)
		qsort(oids, n, sizeof(*oids), by_oid);
	for (size_t i = 0; i < n; i++)
		if (!i || oids[i] != oids[kept - 1])
			oids[kept++] = oids[i];
	*ret = oids;
	*ret_n = (uint32_t)kept;
	return 0;
}
