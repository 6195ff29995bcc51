/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fasta.h - read queries and cut them into the batches that BLAST+ makes
 *
 * BLAST+ takes queries until their letters reach a number that depends on the program, and
 * searches them together. Statistics of some programs depend on the batch, so tasks are cut at
 * the same places. Only plain FASTA is taken: whatever BLAST+ would warn about, or read as
 * something else (accessions, gaps, comments), is for an unsplit run.
 */
#ifndef BLAST_CORE_FASTA_H
#define BLAST_CORE_FASTA_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define FASTA_LETTERS_MAX (8u << 20) /* of one batch */

struct fasta_query {
	size_t at, len; /* lines of the sequence, in the text */
	uint32_t letters;
};

struct fasta_batch {
	uint32_t first, n; /* queries */
	uint64_t letters;
};

struct fasta {
	struct fasta_query *queries; /* owned */
	struct fasta_batch *batches; /* owned */
	uint32_t n_queries, n_batches;
};

/**
 * fasta_cut() - Cut a query file
 * @text, @len:	The file; must stay while @ret is used with it
 * @batch_letters: A batch is full when it has so many
 * @ret:	Set on success; end with fasta_done()
 * @e:		Which line is unusual
 *
 * Return: 0, -ENOTSUP (not plain FASTA), -ENOMEM
 */
int fasta_cut(const uint8_t *text, size_t len, uint32_t batch_letters, struct fasta *ret,
	      struct err *e) MUST_CHECK;
void fasta_done(struct fasta *f);

/** fasta_write() - A batch as FASTA of its own: names are ordinals, the letters are the user's */
int fasta_write(const struct fasta *f, const uint8_t *text, uint32_t batch, struct buf *to)
	MUST_CHECK;

/** fasta_check() - Is this what fasta_write() writes? 0 and the number of queries, or -EPROTO */
int fasta_check(const uint8_t *text, size_t len, uint32_t *ret_queries) MUST_CHECK;

#endif
