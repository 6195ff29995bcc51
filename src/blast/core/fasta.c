/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fasta.c - read queries and cut them into the batches that BLAST+ makes */
#include "blast/core/fasta.h"

#include <errno.h>

#define LINE_LETTERS 80

static bool is_letter(uint8_t c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '*';
}

struct line {
	const uint8_t *p;
	size_t len; /* without its end */
	bool cr;
};

/* the line at *at, which moves behind it */
static struct line next_line(const uint8_t *text, size_t len, size_t *at)
{
	const uint8_t *p = text + *at, *nl = memchr(p, '\n', len - *at);
	struct line l = { p, nl ? (size_t)(nl - p) : len - *at, false };

	*at += l.len + (nl ? 1 : 0);
	if (nl && l.len && p[l.len - 1] == '\r') {
		l.cr = true;
		l.len--;
	}
	return l;
}

static int grow(void **array, uint32_t n, size_t size)
{
	void *p;

	if (n & (n - 1)) /* only at powers of two */
		return 0;
	p = realloc(*array, (n ? 2 * (size_t)n : 1) * size);
	if (!p)
		return -ENOMEM;
	*array = p;
	return 0;
}

/* the query just read, f->queries[n_queries - 1], goes into the last batch or a new one */
static int put_in_batch(struct fasta *f, uint32_t batch_letters)
{
	const struct fasta_query *q = &f->queries[f->n_queries - 1];
	struct fasta_batch *b;

	if (!f->n_batches || f->batches[f->n_batches - 1].letters >= batch_letters) {
		if (grow((void **)&f->batches, f->n_batches, sizeof(*f->batches)) < 0)
			return -ENOMEM;
		f->batches[f->n_batches++] = (struct fasta_batch){ f->n_queries - 1, 0, 0 };
	}
	b = &f->batches[f->n_batches - 1];
	b->n++;
	b->letters += q->letters;
	return b->letters > FASTA_LETTERS_MAX ? -E2BIG : 0;
}

static int cut(const uint8_t *text, size_t len, uint32_t batch_letters, struct fasta *f,
	       struct err *e)
{
	size_t at = 0;
	unsigned long n = 0;
	bool cr = false;

	while (at < len) {
		struct line l = next_line(text, len, &at);
		struct fasta_query *q = f->n_queries ? &f->queries[f->n_queries - 1] : NULL;

		if (!n++)
			cr = l.cr;
		else if (l.cr != cr && at < len)
			return err_set(e, -ENOTSUP, "line %lu ends unlike line 1", n);
		if (memchr(l.p, '\r', l.len) || memchr(l.p, '\0', l.len))
			return err_set(e, -ENOTSUP, "line %lu has a control character", n);
		if (l.len && l.p[0] == '>') {
			if (q && (!q->letters || put_in_batch(f, batch_letters) < 0))
				return err_set(e, -ENOTSUP,
					       "the query before line %lu is empty or too long", n);
			if (f->n_queries == UINT32_MAX / 2 ||
			    grow((void **)&f->queries, f->n_queries, sizeof(*f->queries)) < 0)
				return err_set(e, -ENOMEM, "out of memory");
			f->queries[f->n_queries++] = (struct fasta_query){ at, 0, 0 };
			continue;
		}
		if (!q)
			return err_set(e, -ENOTSUP, "line %lu is not a '>' line", n);
		for (size_t i = 0; i < l.len; i++)
			if (!is_letter(l.p[i]))
				return err_set(e, -ENOTSUP, "line %lu has '%c'", n,
					       l.p[i] > ' ' && l.p[i] < 127 ? l.p[i] : '?');
		q->letters += (uint32_t)l.len;
		q->len = at - q->at;
		if (q->letters > FASTA_LETTERS_MAX)
			return err_set(e, -ENOTSUP, "the query at line %lu is too long", n);
	}
	if (!f->n_queries)
		return err_set(e, -ENOTSUP, "there is no query");
	if (!f->queries[f->n_queries - 1].letters || put_in_batch(f, batch_letters) < 0)
		return err_set(e, -ENOTSUP, "the last query is empty or too long");
	return 0;
}

int fasta_cut(const uint8_t *text, size_t len, uint32_t batch_letters, struct fasta *ret,
	      struct err *e)
{
	struct fasta f = { 0 };
	int r = cut(text, len, batch_letters, &f, e);

	if (r < 0) {
		fasta_done(&f);
		return r;
	}
	*ret = f;
	return 0;
}

void fasta_done(struct fasta *f)
{
	free(f->queries);
	free(f->batches);
	*f = (struct fasta){ 0 };
}

int fasta_write(const struct fasta *f, const uint8_t *text, uint32_t batch, struct buf *to)
{
	const struct fasta_batch *b = &f->batches[batch];

	for (uint32_t k = 0; k < b->n; k++) {
		const struct fasta_query *q = &f->queries[b->first + k];
		uint32_t column = 0;
		int r = buf_printf(to, ">%u\n", k);

		for (size_t i = 0; !r && i < q->len; i++) {
			if (!is_letter(text[q->at + i]))
				continue; /* the ends of lines */
			r = buf_put_u8(to, text[q->at + i]);
			if (!r && ++column % LINE_LETTERS == 0)
				r = buf_put_u8(to, '\n');
		}
		if (!r && column % LINE_LETTERS)
			r = buf_put_u8(to, '\n');
		if (r < 0)
			return r;
	}
	return 0;
}

int fasta_check(const uint8_t *text, size_t len, uint32_t *ret_queries)
{
	size_t at = 0;
	uint32_t n = 0;

	if (!len || text[len - 1] != '\n')
		return -EPROTO;
	while (at < len) {
		struct line l = next_line(text, len, &at);
		bool name = l.len && l.p[0] == '>';
		char want[16];

		if (name) {
			int w = snprintf(want, sizeof(want), ">%u", n++);

			if (l.len != (size_t)w || memcmp(l.p, want, l.len) != 0)
				return -EPROTO;
			continue;
		}
		if (!n || !l.len || l.cr)
			return -EPROTO;
		for (size_t i = 0; i < l.len; i++)
			if (!is_letter(l.p[i]))
				return -EPROTO;
	}
	*ret_queries = n;
	return 0;
}
