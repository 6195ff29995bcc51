/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fetch.h - bring the files of the database into the worker's cache, and name them in its directory
 */
#ifndef BLAST_RUN_FETCH_H
#define BLAST_RUN_FETCH_H

#include "blast/run/link.h"

struct fetch;

struct fetch_setup {
	struct loop *loop;
	struct link *link;
	const Cmx__BlastSetup *run;    /* stays while the fetch runs */
	const char *cache, *directory; /* where files live; where they get their names */
	void (*over)(void *owner,
		     const struct err *e); /* NULL: all files are there; free it then */
	void *owner;
	uint32_t patience_ms; /* how long another worker's fetch may stand still; 0: 10 s */
};

/**
 * fetch_start() - Begin; over() comes later, from the loop
 *
 * The files are held in the cache (cache_find()) until fetch_free(): call it when they are no
 * longer used. One fd each.
 */
int fetch_start(const struct fetch_setup *s, struct fetch **ret, struct err *e) MUST_CHECK;

/** fetch_chunk() - The master sent part of a file */
void fetch_chunk(struct fetch *f, const Cmx__BlastChunk *c);
void fetch_bytes(const struct fetch *f, uint64_t *ret_cached, uint64_t *ret_fetched);
void fetch_free(struct fetch *f);

#endif
