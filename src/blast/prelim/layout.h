/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * layout.h - the few BLAST structures that the preloaded library reads, as laid out in 2.12.0
 *
 * Written from the NCBI C++ Toolkit headers of BLAST+ 2.12.0 for x86_64. Only the members we touch
 * have a name; the rest is counted, and what follows the last one used is left out, so none of
 * these may be allocated or copied by us. builds.h says which builds have this layout.
 *
 *	here		there			header
 *	ncbi_hsp	BlastHSP		algo/blast/core/blast_hits.h
 *	ncbi_hsp_list	BlastHSPList		algo/blast/core/blast_hits.h
 *	ncbi_hit_list	BlastHitList		algo/blast/core/blast_hits.h
 *	ncbi_results	BlastHSPResults		algo/blast/core/blast_hits.h
 *	ncbi_stream	BlastHSPStream		algo/blast/core/blast_hspstream.h
 */
#ifndef PRELIM_LAYOUT_H
#define PRELIM_LAYOUT_H

#include <stddef.h>
#include <stdint.h>

/* one alignment */
struct ncbi_hsp {
	int32_t score;
	int32_t identities;
	double bits;
	double evalue;
};

/* all alignments of one query with one subject */
struct ncbi_hsp_list {
	int32_t oid;
	int32_t query;
	struct ncbi_hsp **hsps;
	int32_t n_hsps;
};

/* all subjects of one query; a heap of at most max lists */
struct ncbi_hit_list {
	int32_t n_lists;
	int32_t max_lists;
	double worst_evalue;
	int32_t low_score;
	uint8_t is_heap;
	struct ncbi_hsp_list **lists;
};

/* all queries of one batch */
struct ncbi_results {
	int32_t n_queries;
	struct ncbi_hit_list **queries;
};

/* what the preliminary stage hands to the traceback stage */
struct ncbi_stream {
	int32_t program;
	int32_t n_sorted;
	int32_t sorted_alloc;
	struct ncbi_hsp_list **sorted; /* of all queries, when by_score is NULL */
	struct ncbi_results *results;
	uint8_t results_sorted; /* closed already */
	void *by_score;		/* set for composition-based statistics */
};

_Static_assert(offsetof(struct ncbi_hsp, evalue) == 16, "BlastHSP");
_Static_assert(offsetof(struct ncbi_hsp_list, hsps) == 8, "BlastHSPList");
_Static_assert(offsetof(struct ncbi_hsp_list, n_hsps) == 16, "BlastHSPList");
_Static_assert(offsetof(struct ncbi_hit_list, lists) == 24, "BlastHitList");
_Static_assert(offsetof(struct ncbi_results, queries) == 8, "BlastHSPResults");
_Static_assert(offsetof(struct ncbi_stream, sorted) == 16, "BlastHSPStream");
_Static_assert(offsetof(struct ncbi_stream, results) == 24, "BlastHSPStream");
_Static_assert(offsetof(struct ncbi_stream, results_sorted) == 32, "BlastHSPStream");
_Static_assert(offsetof(struct ncbi_stream, by_score) == 40, "BlastHSPStream");

#endif
