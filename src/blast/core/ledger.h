/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ledger.h - which part of a search is done, by whom, and what is to be done next
 *
 * A task is a query batch against a fragment of the database. Workers come, take tasks, and go at
 * any moment; the first answer to a task counts. Pure: time is an argument.
 *
 *	WAITING --take--> RUNNING --answer--> DONE
 *	   ^                 |                 |
 *	   +-----------------+-----------------+
 *	        all its workers are lost,     its answer is not believed
 *	        or failed                     any more (core/answers.h)
 */
#ifndef BLAST_CORE_LEDGER_H
#define BLAST_CORE_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define LEDGER_FRAGMENTS_MAX 1024
#define LEDGER_TASKS_MAX     (1u << 22)
#define LEDGER_NOBODY	     0 /* worker ids begin at 1 */
#define LEDGER_FAILURES_MAX  2 /* workers that failed at one task: it is not the workers */

enum task_state {
	TASK_WAITING, /* nobody works on it */
	TASK_RUNNING, /* by[0], and by[1] when it was started again */
	TASK_DONE,    /* its hits are kept; later answers are dropped */
};

struct task {
	enum task_state state;
	uint32_t batch, fragment;
	uint32_t by[2];		      /* workers, the last two */
	uint32_t extra;		      /* times it was started beside a worker that was at it */
	uint32_t failures, failed_by; /* workers that could not do it; the last of them */
	uint64_t since_ms;	      /* RUNNING: when it was taken last */
};

struct fragment {
	uint32_t first, last; /* OIDs, last is not in it */
};

struct ledger {
	struct task *tasks;	    /* owned; batch by batch */
	struct fragment *fragments; /* owned */
	uint32_t *open;		    /* owned; per batch: tasks not done */
	uint32_t n_tasks, n_fragments, n_batches;
	uint32_t n_done, n_running, first_waiting;
	uint32_t n_lost, n_twice, n_failed, n_late; /* for the summary */
	uint64_t spent_ms;			    /* by the tasks done */
};

/* what the number of fragments is chosen from */
struct ledger_size {
	uint32_t n_batches;
	uint64_t query_letters;
	uint32_t n_seqs;
	uint64_t db_letters;
	uint32_t slots; /* tasks that can run at once now */
};

/**
 * ledger_init() - Plan a search
 *
 * Tasks aim at a few seconds each, and at several per slot, so that a lost one costs little and the
 * last ones end together; but each pays the start of a BLAST+, so they are not made smaller than
 * that is worth.
 *
 * Return: 0, -E2BIG, -ENOMEM
 */
int ledger_init(struct ledger *l, const struct ledger_size *size) MUST_CHECK;
void ledger_done(struct ledger *l);

/**
 * ledger_take() - A task for a worker
 * @l:		The ledger
 * @worker:	Its id
 * @fragment:	The one it has in memory; UINT32_MAX: none
 * @now_ms:	Now
 *
 * In order of batches, the worker's fragment first where that does not hold up an earlier batch.
 * When none waits, a task that takes much longer than the others is started a second time.
 *
 * Return: index of the task, or -1
 */
int64_t ledger_take(struct ledger *l, uint32_t worker, uint32_t fragment, uint64_t now_ms)
	MUST_CHECK;

/**
 * ledger_answer() - A worker has sent a whole, checked answer to a task that it was given
 * @ret_batch_done: Set when it was the last of its batch
 *
 * Return: true when it is the first answer to the task and is to be kept
 */
bool ledger_answer(struct ledger *l, uint32_t task, uint64_t now_ms, bool *ret_batch_done)
	MUST_CHECK;

/** ledger_reopen() - Forget the answer to a DONE task: it waits again */
void ledger_reopen(struct ledger *l, uint32_t task);

/** ledger_lose() - A worker is gone; what only it worked on waits again */
void ledger_lose(struct ledger *l, uint32_t worker);

/** ledger_fail() - A worker could not do a task; -EIO when LEDGER_FAILURES_MAX workers could not */
int ledger_fail(struct ledger *l, uint32_t task, uint32_t worker) MUST_CHECK;

/** ledger_left_ms() - Time left, by the tasks done so far and this many slots; 0: not known */
uint64_t ledger_left_ms(const struct ledger *l, uint32_t slots);

#endif
