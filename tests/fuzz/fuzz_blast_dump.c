/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_blast_dump.c - dumps of preliminary hits: read, checked, chosen from */
#include "blast/core/hits.h"
#include "tests/fuzz/fuzz.h"

#define QUERIES 3
#define FIRST	5
#define LAST	100

static void check_choice(struct hits *h)
{
	uint32_t *oids, n;

	MUST(!hits_choose(h, &oids, &n));
	MUST(n <= h->n && (!h->n || n));
	for (uint32_t i = 0; i < n; i++) {
		MUST(oids[i] >= FIRST && oids[i] < LAST);
		MUST(!i || oids[i] > oids[i - 1]);
	}
	/* the best of each query is always among them */
	for (size_t i = 0; i < h->n; i++) {
		bool best = true, there = false;

		for (size_t k = 0; k < h->n; k++)
			best = best &&
			       !(h->v[k].query == h->v[i].query && h->v[k].evalue < h->v[i].evalue);
		for (uint32_t k = 0; k < n; k++)
			there = there || oids[k] == h->v[i].oid;
		MUST(!best || there);
	}
	free(oids);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dump d = { 0 };
	struct hits h = { 0 };
	struct prelim_hit hit;
	struct buf in;
	int r = 0;

	buf_init(&in, 1 << 16);
	/* byte by byte, as a pipe may give them */
	for (size_t i = 0; i < size && size < (1 << 14) && r >= 0; i++) {
		MUST(!buf_put_u8(&in, data[i]));
		while ((r = dump_take(&d, &in, &hit)) == 1)
			MUST(!hits_add(&h, &hit));
	}
	MUST(d.n_hits == h.n);
	if (!hits_check(&h, QUERIES, FIRST, LAST, NULL) && h.n < 200)
		check_choice(&h);
	hits_done(&h);
	buf_done(&in);
	return 0;
}
