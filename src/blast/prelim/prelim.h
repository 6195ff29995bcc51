/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * prelim.h - what the preloaded library and the programs that start BLAST+ with it agree on
 *
 * The library does nothing unless PRELIM_ENV_MODE is set:
 *
 *	probe	write the build ids of the process as text ("PART HEX\n") to the fd and exit(0)
 *	dump	write the preliminary lists to the fd, search no further (phase 1)
 *	select	read candidates from the fd, scan nothing else (phase 2)
 *
 * Numbers are in host order: both ends run on one machine. In dump mode the fd gets one
 * prelim_head, any number of prelim_hit, and one prelim_hit with PRELIM_END that counts them; a
 * dump without its end is no dump. In select mode the fd gives one prelim_batch and its OIDs,
 * ascending, for each query batch that BLAST+ searches, in order, and then end of file.
 */
#ifndef PRELIM_PRELIM_H
#define PRELIM_PRELIM_H

#include <stdint.h>

#define PRELIM_ENV_MODE	     "COMOSIX_PRELIM"
#define PRELIM_ENV_FD	     "COMOSIX_PRELIM_FD"
#define PRELIM_ENV_UNLIMITED "COMOSIX_PRELIM_UNLIMITED" /* "1": keep every preliminary hit */

#define PRELIM_MAGIC	   0x4d4c5250u /* "PRLM" */
#define PRELIM_VERSION	   1u
#define PRELIM_BATCH_MAGIC 0x48435442u /* "BTCH" */

/* exit status of a BLAST+ that the library stopped; BLAST+ itself uses 0-6 and 255 */
#define PRELIM_EXIT_REFUSED 97

struct prelim_head {
	uint32_t magic;
	uint32_t version;
};

enum prelim_flag {
	PRELIM_HIT = 0,	  /* a subject in the list of a query */
	PRELIM_CHUNK = 1, /* a subject in the list of a chunk of a long query; query is of no use */
	PRELIM_END = 2,	  /* query: searches made (0 or 1), oid: hits and chunks before this */
};

struct prelim_hit {
	uint32_t query; /* ordinal in the batch */
	uint32_t oid;
	double evalue;	/* best of the subject's preliminary alignments */
	uint32_t limit; /* most subjects that BLAST+ keeps for this query */
	uint32_t flag;
};

struct prelim_batch {
	uint32_t magic;
	uint32_t n_queries;
	uint32_t n_oids;
	uint32_t zero;
};

_Static_assert(sizeof(struct prelim_hit) == 24, "prelim_hit");
_Static_assert(sizeof(struct prelim_batch) == 16, "prelim_batch");

#endif
