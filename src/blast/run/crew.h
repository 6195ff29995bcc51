/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * crew.h - the workers of a search: hire them as nodes come, give them tasks, check their answers
 */
#ifndef BLAST_RUN_CREW_H
#define BLAST_RUN_CREW_H

#include "blast/core/answers.h"
#include "blast/core/fasta.h"
#include "blast/core/options.h"
#include "blast/run/database.h"
#include "blast/run/engine.h"
#include "blast/run/source.h"

#define CREW_SILENCE_MS 10000 /* a worker that says nothing for so long is given up */
#define CREW_ALONE_MS	10000 /* so long without any worker, and the search is not split any more */

struct crew;

/* what workers of a source are for */
enum crew_hand {
	CREW_WORK,   /* search; and check, if they are trusted */
	CREW_CHECKS, /* only check what desktops answered; hired when that is due */
	CREW_HANDS
};

struct crew_setup {
	struct loop *loop;
	const struct blast_request *request;
	const struct engine *engine;
	const struct database *database;
	const struct fasta *fasta;
	const uint8_t *queries; /* text of the query file */

	/* batches come in order; searched: BLAST+ found something to search with */
	void (*batch)(void *owner, uint32_t batch, bool searched, const uint32_t *oids, uint32_t n);
	/* forget all batches that were told: they come again from the first on */
	void (*again)(void *owner);
	void (*over)(void *owner);		      /* all batches were told */
	void (*broken)(void *owner, const char *why); /* it cannot be done this way */
	void *owner;
};

/* a node, for the summary */
struct crew_node {
	char name[SOURCE_NAME_MAX];
	enum crew_hand hand;
	enum trust trust;
	uint32_t slots, workers;    /* places, and those taken */
	uint32_t n_tasks, n_checks; /* done by it: of its own, and again for others */
	uint32_t n_lost, n_refused;
	uint64_t cpu_ms, cached_bytes, fetched_bytes;
	uint32_t strikes;	      /* times its workers were lost since it last did something */
	uint64_t strike_ms, retry_ms; /* the last one; no new worker before */
	bool gone, barred;	      /* the source says so; we say so, for good */
	bool lied;		      /* why it is barred */
	char last_error[ERR_TEXT_MAX];
};

/* of answers that desktops gave */
struct crew_checks {
	uint32_t n_checked, n_false; /* computed again; and not the same */
	uint32_t n_dropped;	     /* not used, as their node lied */
	uint32_t n_again;	     /* times that the whole search was begun again */
};

struct crew_state {
	const struct crew_node *nodes;
	uint32_t n_nodes, n_workers, n_used; /* workers that search; nodes that answered tasks */
	const struct ledger *ledger;	     /* NULL before the plan */
	uint64_t n_candidates;
	uint64_t left_ms;
	uint32_t n_checking; /* checks that are not over */
	struct crew_checks checks;
};

int crew_new(const struct crew_setup *s, struct crew **ret, struct err *e) MUST_CHECK;
void crew_free(struct crew *c);

/** crew_events() - For a source; its owner is what crew_owner() returns */
const struct source_events *crew_events(void);
void *crew_owner(struct crew *c, enum crew_hand hand);

/** crew_use() - Where workers come from; stays the caller's; once each, before the loop runs */
void crew_use(struct crew *c, enum crew_hand hand, struct source *source);

void crew_state(const struct crew *c, struct crew_state *ret);

#endif
