/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_blast_fasta.c - query files: cut, written for workers, checked by workers */
#include "blast/core/fasta.h"
#include "tests/fuzz/fuzz.h"

#define BATCH_LETTERS 16

static uint64_t letters_of(const struct buf *b)
{
	uint64_t n = 0;
	bool name = false;

	for (size_t i = 0; i < b->len; i++) {
		uint8_t c = buf_bytes(b)[i];

		if (c == '>' || c == '\n')
			name = c == '>';
		else
			n += !name;
	}
	return n;
}

static void check_batch(const struct fasta *f, const uint8_t *data, uint32_t b)
{
	struct buf out;
	uint32_t n = 0;

	buf_init(&out, 1 << 24);
	MUST(!fasta_write(f, data, b, &out));
	MUST(!fasta_check(buf_bytes(&out), out.len, &n));
	MUST(n == f->batches[b].n && letters_of(&out) == f->batches[b].letters);
	/* full, but for the last, and not fuller than its last query makes it */
	MUST(f->batches[b].letters >= BATCH_LETTERS || b + 1 == f->n_batches);
	MUST(f->batches[b].letters - f->queries[f->batches[b].first + n - 1].letters <
	     BATCH_LETTERS);
	buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fasta f = { 0 };
	struct err e = { 0 };
	uint32_t n, seen = 0;

	if (!fasta_check(data, size, &n)) /* a worker is sent anything */
		MUST(n);
	if (fasta_cut(data, size, BATCH_LETTERS, &f, &e) < 0) {
		MUST(e.text[0] && !f.queries);
		return 0;
	}
	for (uint32_t b = 0; b < f.n_batches; b++) {
		MUST(f.batches[b].first == seen);
		seen += f.batches[b].n;
		check_batch(&f, data, b);
	}
	MUST(seen == f.n_queries && seen);
	fasta_done(&f);
	return 0;
}
