/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * answers.h - the answers to tasks: kept, computed a second time, believed or thrown away
 *
 * A desktop's owner can make its worker say anything, and hits that are left out are not seen. So
 * some of a desktop's answers, drawn at random after they were given, are computed again by a node
 * that is trusted. Pure: time and random numbers are arguments.
 *
 *	            drawn          take            the same
 *	UNCHECKED ---------> DUE ---------> RUNNING --------> PASSED
 *	                      ^               | |
 *	                      +- lost, failed-+ '--differs--> the node is a LIAR
 *
 * A liar's answers that were not computed again are thrown away and their tasks wait again; the
 * answer that exposed it takes the place of the false one. docs/TRUST.md has the odds.
 */
#ifndef BLAST_CORE_ANSWERS_H
#define BLAST_CORE_ANSWERS_H

#include "blast/core/hits.h"
#include "blast/core/ledger.h"

#define ANSWERS_NOBODY UINT32_MAX

enum trust {
	TRUST_NONE,   /* a desktop */
	TRUST_FULL,   /* head or server */
	TRUST_CHECKS, /* the machine of the search itself: only there to check */
};

enum check_state {
	CHECK_NONE,    /* UNCHECKED, or the node is trusted */
	CHECK_DUE,     /* no node works at it */
	CHECK_RUNNING, /* a trusted worker does */
	CHECK_PASSED,  /* the answer is right */
};

/* beside each task of the ledger; of a task that is DONE */
struct given {
	enum check_state check;
	uint32_t node, checker; /* who answered; RUNNING: the worker that checks */
	uint32_t failures;	/* workers that could not check it */
	bool searched;		/* BLAST+ found something to search with */
};

/* what is known of a node; indexed by the caller's number of it */
struct answers_node {
	enum trust trust;
	bool passed, liar, told; /* an answer of it was checked and right; answers_liar() */
	uint32_t n_open;	 /* its answers that are DUE or RUNNING */
	uint32_t n_dropped;	 /* answers thrown away */
	uint32_t caught_by;	 /* liar: the node that computed otherwise; NOBODY: accused */
	uint32_t caught_task;	 /* liar: the false answer */
	uint32_t seen, pick;	 /* scratch of one draw */
};

struct answers {
	struct ledger *ledger;	    /* the caller's */
	struct given *given;	    /* owned; per task */
	struct hits *batches;	    /* owned; per batch, until it is told */
	uint32_t *open;		    /* owned; per batch: checks that are DUE or RUNNING */
	struct answers_node *nodes; /* owned */
	uint32_t n_nodes, percent;
	uint32_t n_told, n_due, first_due;
	uint32_t n_checked, n_false, n_dropped; /* for the summary */
	bool tainted; /* a liar's unchecked answers are in batches that were told */
};

struct answer {
	uint32_t worker, node, task;
	const struct hits *hits; /* after hits_check() */
	bool searched;
	uint64_t now_ms;
	uint64_t random; /* nobody could know it before the answer was there */
};

enum answer_use {
	ANSWER_LATE,  /* another one was there; or a liar's */
	ANSWER_KEPT,  /* the first to its task: who else is at it may stop */
	ANSWER_CHECK, /* compared with the first */
};

/**
 * answers_init() - Nothing is answered yet
 * @l:		The plan; must outlive this
 * @percent:	Of the desktops' answers that are drawn; each desktop has one checked at least
 *
 * Return: 0, -ENOMEM
 */
int answers_init(struct answers *a, struct ledger *l, uint32_t percent) MUST_CHECK;
void answers_done(struct answers *a);

/** answers_know() - The next node, before it takes or gives anything; numbers ascend from 0;
 * -ENOMEM */
int answers_know(struct answers *a, uint32_t node, enum trust trust) MUST_CHECK;

/**
 * answers_take() - A task for a worker: a check for one that is trusted, else as ledger_take()
 * @fragment:	The one it has in memory; UINT32_MAX: none
 *
 * Return: index of the task, or -1
 */
int64_t answers_take(struct answers *a, uint32_t worker, uint32_t node, uint32_t fragment,
		     uint64_t now_ms) MUST_CHECK;

/**
 * answers_put() - A worker has sent a whole answer to a task that it was given
 * @ret:	What was done with it
 *
 * Ask answers_liar() after it.
 *
 * Return: 0, -ENOMEM, -EPROTO: trusted nodes contradict each other. After a failure the search
 * cannot go on
 */
int answers_put(struct answers *a, const struct answer *v, enum answer_use *ret) MUST_CHECK;

/** answers_accuse() - What a node sent for a task cannot be an answer: a desktop is a liar then */
void answers_accuse(struct answers *a, uint32_t node, uint32_t task);

/** answers_liar() - The next node that was found lying, each once; ANSWERS_NOBODY: none */
uint32_t answers_liar(struct answers *a) MUST_CHECK;

/** answers_lose() - A worker is gone: what only it did waits again, checks too */
void answers_lose(struct answers *a, uint32_t worker);

/** answers_fail() - A worker could not do a task; as ledger_fail() */
int answers_fail(struct answers *a, uint32_t task, uint32_t worker) MUST_CHECK;

/**
 * answers_tell() - The candidates of the next batch
 * @ret_searched: BLAST+ found something to search with
 * @ret, @ret_n: As hits_choose()
 *
 * A batch is told when all its tasks are done, no check of its answers is open, and each desktop
 * with an answer in it has passed a check.
 *
 * Return: 1 told, 0 it is not known yet, or there is none; -ENOMEM
 */
int answers_tell(struct answers *a, bool *ret_searched, uint32_t **ret, uint32_t *ret_n) MUST_CHECK;

#endif
