/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dbindex.c - the head of a BLAST database volume's index (.pin, .nin), versions 4 and 5
 *
 *	u32 version | u32 1: protein, 0: nucleotides | [5: u32 volume] | text title
 *	| [5: text name of the .pdb] | text date | u32 sequences | u64 letters | u32 longest | ...
 *
 * Numbers are big-endian, but for letters, which is little-endian. A text is its length (u32) and
 * its bytes, with NULs behind it. Seen in files made by makeblastdb 2.12.0; the order of fields is
 * that of CSeqDBIdxFile (objtools/blast/seqdb_reader/seqdbfile.cpp).
 */
#include "blast/core/dbindex.h"

#include <errno.h>

struct reader {
	const uint8_t *p;
	size_t left;
	bool bad;
};

static const uint8_t *take(struct reader *r, size_t n)
{
	const uint8_t *p = r->p;

	if (r->bad || n > r->left) {
		r->bad = true;
		return NULL;
	}
	r->p += n;
	r->left -= n;
	return p;
}

static uint32_t take_u32(struct reader *r)
{
	const uint8_t *p = take(r, 4);

	return p ? (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3] : 0;
}

static uint64_t take_u64le(struct reader *r)
{
	const uint8_t *p = take(r, 8);
	uint64_t v = 0;

	for (int i = 7; p && i >= 0; i--)
		v = v << 8 | p[i];
	return v;
}

static void take_text(struct reader *r, char *to, size_t size)
{
	uint32_t len = take_u32(r);
	const uint8_t *p = take(r, len);

	if (!to || !p)
		return;
	if (len >= size) {
		r->bad = true;
		return;
	}
	memcpy(to, p, len);
	to[len] = '\0';
}

int dbindex_parse(const uint8_t *p, size_t len, struct dbindex *ret, struct err *e)
{
	struct reader r = { p, len, false };
	struct dbindex d = { .version = take_u32(&r) };
	uint32_t type = take_u32(&r);

	if (d.version != 4 && d.version != 5)
		return err_set(e, -EPROTO, "no BLAST database of version 4 or 5");
	if (d.version == 5)
		(void)take_u32(&r); /* number of the volume */
	take_text(&r, d.title, sizeof(d.title));
	if (d.version == 5)
		take_text(&r, NULL, 0);
	take_text(&r, NULL, 0);
	d.protein = type == 1;
	d.n_seqs = take_u32(&r);
	d.letters = take_u64le(&r);
	d.longest = take_u32(&r);
	if (r.bad || type > 1 || d.n_seqs > INT32_MAX)
		return err_set(e, -EPROTO, "the index of the database is damaged");
	*ret = d;
	return 0;
}
