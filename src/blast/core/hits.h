/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hits.h - preliminary hits: read a dump, check what a worker sent, choose the candidates
 */
#ifndef BLAST_CORE_HITS_H
#define BLAST_CORE_HITS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "blast/prelim/prelim.h"

/* reads what the preloaded library writes */
struct dump {
	bool has_head, has_end;
	uint32_t n_hits;   /* taken so far */
	uint32_t searches; /* after the end: 1, or 0 when BLAST+ found nothing to search with */
};

/**
 * dump_take() - Take the next hit out of a buffer
 * @d:		State; all zero at first
 * @in:		Bytes of the dump; what is taken is eaten
 * @ret:	Set when 1 is returned
 *
 * After the last byte d->has_end tells whether the dump is whole.
 *
 * Return: 1 a hit, 0 more bytes are wanted, -EPROTO
 */
int dump_take(struct dump *d, struct buf *in, struct prelim_hit *ret) MUST_CHECK;

/* hits of one task or one batch; grows */
struct hits {
	struct prelim_hit *v; /* owned */
	size_t n, cap;
};

int hits_add(struct hits *h, const struct prelim_hit *hit) MUST_CHECK;
int hits_append(struct hits *h, const struct hits *from) MUST_CHECK;
void hits_done(struct hits *h);

/**
 * hits_check() - Can this be the result of a task? The worker may lie
 * @h:		In one order on return, whatever it came in
 * @n_queries:	Queries of the batch
 * @first, @last: OIDs asked for, last is not among them
 * @e:		What is wrong
 *
 * A query and OID that come twice mean that BLAST+ scanned a part twice; that is wrong too.
 *
 * Return: 0 or -EPROTO
 */
int hits_check(struct hits *h, uint32_t n_queries, uint32_t first, uint32_t last, struct err *e)
	MUST_CHECK;

/**
 * hits_same() - Is this what another node computed?
 * @h:		Hits of several tasks, those of each task in the order of hits_check()
 * @first, @last: The task's OIDs, last is not among them
 * @other:	Hits of the same task alone, after hits_check()
 *
 * E-values may differ as much as those of two processors do.
 */
bool hits_same(const struct hits *h, uint32_t first, uint32_t last, const struct hits *other);

/** hits_drop() - Forget the hits of a task; the others keep their order */
void hits_drop(struct hits *h, uint32_t first, uint32_t last);

/**
 * hits_choose() - The candidates of a batch
 * @h:		Hits of all its fragments; sorted on return
 * @ret:	Ascending OIDs, owned by the caller
 * @ret_n:	How many
 *
 * Per query, what ranks at most at its limit P by E-value, all of an equal E-value included, and a
 * little more, as nodes differ in the last bits: a superset of the preliminary list of the whole
 * database. With chunks nothing is cut, as P acts on
 * each chunk.
 *
 * Return: 0 or -ENOMEM
 */
int hits_choose(struct hits *h, uint32_t **ret, uint32_t *ret_n) MUST_CHECK;

#endif
