/* SPDX-License-Identifier: GPL-2.0-or-later */
/* search.h - one task on a worker: run BLAST+ on a fragment, send the preliminary hits */
#ifndef BLAST_RUN_SEARCH_H
#define BLAST_RUN_SEARCH_H

#include "blast/run/engine.h"
#include "blast/run/link.h"
#include "loop/loop.h"

struct search;

struct search_setup {
	struct loop *loop;
	struct link *link;
	const struct engine *engine;
	const Cmx__BlastSetup *run; /* stays while searches run */
	const char *scratch;	    /* directory of our own, no spaces in it */
	void (*over)(void *owner);  /* the answer is queued; the search is freed already */
	void *owner;
};

/** search_start() - Begin a task; what goes wrong later is sent as Failed */
int search_start(const struct search_setup *s, const Cmx__BlastTask *t, struct search **ret,
		 struct err *e) MUST_CHECK;

/** search_room() - The link has room again */
void search_room(struct search *s);

/** search_cancel() - Kill it, say nothing, free it; NULL is fine */
void search_cancel(struct search *s);

uint32_t search_task(const struct search *s);

#endif
