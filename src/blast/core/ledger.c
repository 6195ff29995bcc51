/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ledger.c - which part of a search is done, by whom, and what is to be done next */
#include "blast/core/ledger.h"

#include <assert.h>
#include <errno.h>

/*
 * Pairs of letters (query times database) that one core searches in a millisecond, measured: blastp
 * of 40 proteins, 24,000 letters, against 59 million took 32 s. It only sizes tasks.
 */
#define PAIRS_PER_MS	 40000000ull
#define TASK_AIM_MS	 4000
#define TASK_LEAST_MS	 800 /* BLAST+ needs 0.1 to 0.2 s to start and to prepare a batch */
#define TASKS_PER_SLOT	 3
#define TWICE_FACTOR	 2 /* times the mean, before a task is started a second time */
#define TWICE_LEAST_MS	 2000
#define EXTRA_MAX	 10
#define TWICE_UNKNOWN_MS 8000 /* when none is done yet to compare with */

static uint64_t divide_up(uint64_t a, uint64_t b)
{
	return a / b + (a % b != 0);
}

static uint32_t choose_fragments(const struct ledger_size *s)
{
	uint64_t total_ms = s->query_letters / 1000 * (s->db_letters / 1000) /
			    (PAIRS_PER_MS / 1000000);
	uint64_t batch_ms = divide_up(total_ms + 1, s->n_batches);
	uint64_t by_time = divide_up(batch_ms, TASK_AIM_MS);
	uint64_t by_slots = divide_up((uint64_t)s->slots * TASKS_PER_SLOT, s->n_batches);
	uint64_t most = batch_ms / TASK_LEAST_MS;
	uint64_t n = by_time > by_slots ? by_time : by_slots;

	if (n > most)
		n = most > by_time ? most : by_time;
	if (n < 1)
		n = 1;
	if (n > LEDGER_FRAGMENTS_MAX)
		n = LEDGER_FRAGMENTS_MAX;
	if (n > s->n_seqs)
		n = s->n_seqs;
	return (uint32_t)n;
}

int ledger_init(struct ledger *l, const struct ledger_size *s)
{
	struct ledger v = { 0 };

	if (!s->n_batches || !s->n_seqs)
		return -EINVAL;
	v.n_batches = s->n_batches;
	v.n_fragments = choose_fragments(s);
	if (v.n_batches > LEDGER_TASKS_MAX / v.n_fragments)
		return -E2BIG;
	v.n_tasks = v.n_batches * v.n_fragments;
	v.tasks = calloc(v.n_tasks, sizeof(*v.tasks));
	v.fragments = calloc(v.n_fragments, sizeof(*v.fragments));
	v.open = calloc(v.n_batches, sizeof(*v.open));
	if (!v.tasks || !v.fragments || !v.open) {
		ledger_done(&v);
		return -ENOMEM;
	}

	for (uint32_t f = 0; f < v.n_fragments; f++) {
		v.fragments[f].first = (uint32_t)((uint64_t)s->n_seqs * f / v.n_fragments);
		v.fragments[f].last = (uint32_t)((uint64_t)s->n_seqs * (f + 1) / v.n_fragments);
	}
	for (uint32_t t = 0; t < v.n_tasks; t++) {
		v.tasks[t].batch = t / v.n_fragments;
		v.tasks[t].fragment = t % v.n_fragments;
	}
	for (uint32_t b = 0; b < v.n_batches; b++)
		v.open[b] = v.n_fragments;
	*l = v;
	return 0;
}

void ledger_done(struct ledger *l)
{
	free(l->tasks);
	free(l->fragments);
	free(l->open);
	*l = (struct ledger){ 0 };
}

static int64_t first_waiting(struct ledger *l)
{
	while (l->first_waiting < l->n_tasks && l->tasks[l->first_waiting].state != TASK_WAITING)
		l->first_waiting++;
	return l->first_waiting < l->n_tasks ? (int64_t)l->first_waiting : -1;
}

/* how long a task may run before it is started once more; each time twice as long */
static uint64_t patience_ms(const struct ledger *l, const struct task *k)
{
	uint64_t mean = l->n_done ? l->spent_ms / l->n_done : TWICE_UNKNOWN_MS / TWICE_FACTOR;
	uint64_t least = mean * TWICE_FACTOR > TWICE_LEAST_MS ? mean * TWICE_FACTOR
							      : TWICE_LEAST_MS;

	return least << (k->extra < EXTRA_MAX ? k->extra : EXTRA_MAX);
}

/* the task that was last started the longest ago, by somebody else, and too long ago */
static int64_t overdue(const struct ledger *l, uint32_t worker, uint64_t now_ms)
{
	uint64_t oldest = now_ms;
	int64_t found = -1;

	for (uint32_t t = 0; t < l->n_tasks; t++) {
		const struct task *k = &l->tasks[t];

		if (k->state != TASK_RUNNING || k->by[0] == worker || k->by[1] == worker)
			continue;
		if (k->since_ms < oldest && now_ms - k->since_ms >= patience_ms(l, k)) {
			oldest = k->since_ms;
			found = t;
		}
	}
	return found;
}

/* one more worker for a task; of more than two, the last two are remembered */
static void start_again(struct task *k, uint32_t worker, uint64_t now_ms)
{
	if (k->by[1] != LEDGER_NOBODY)
		k->by[0] = k->by[1];
	k->by[1] = worker;
	k->since_ms = now_ms;
	k->extra++;
}

int64_t ledger_take(struct ledger *l, uint32_t worker, uint32_t fragment, uint64_t now_ms)
{
	int64_t t = first_waiting(l);
	struct task *k;

	if (t < 0) {
		t = overdue(l, worker, now_ms);
		if (t >= 0) {
			start_again(&l->tasks[t], worker, now_ms);
			l->n_twice++;
		}
		return t;
	}
	if (fragment < l->n_fragments) {
		/* its own fragment, in this batch or the next */
		for (uint32_t b = l->tasks[t].batch, i = 0; i < 2 && b + i < l->n_batches; i++) {
			uint32_t own = (b + i) * l->n_fragments + fragment;

			if (l->tasks[own].state == TASK_WAITING) {
				t = own;
				break;
			}
		}
	}
	k = &l->tasks[t];
	k->state = TASK_RUNNING;
	k->by[0] = worker;
	k->by[1] = LEDGER_NOBODY;
	k->extra = 0;
	k->since_ms = now_ms;
	l->n_running++;
	return t;
}

bool ledger_answer(struct ledger *l, uint32_t task, uint64_t now_ms, bool *ret_batch_done)
{
	struct task *k = &l->tasks[task];

	*ret_batch_done = false;
	if (k->state == TASK_DONE) {
		l->n_late++;
		return false;
	}
	if (k->state == TASK_RUNNING)
		l->n_running--;
	k->state = TASK_DONE;
	l->n_done++;
	l->spent_ms += now_ms - k->since_ms;
	*ret_batch_done = --l->open[k->batch] == 0;
	return true;
}

static void wait_again(struct ledger *l, uint32_t task)
{
	l->tasks[task].state = TASK_WAITING;
	if (task < l->first_waiting)
		l->first_waiting = task;
}

void ledger_reopen(struct ledger *l, uint32_t task)
{
	struct task *k = &l->tasks[task];

	assert(k->state == TASK_DONE);
	l->spent_ms -= l->spent_ms / l->n_done; /* how long it took is not known any more */
	l->n_done--;
	l->open[k->batch]++;
	wait_again(l, task);
}

static void leave(struct ledger *l, uint32_t task, uint32_t worker)
{
	struct task *k = &l->tasks[task];

	if (k->state != TASK_RUNNING)
		return;
	if (k->by[0] == worker) {
		k->by[0] = k->by[1];
		k->by[1] = LEDGER_NOBODY;
	} else if (k->by[1] == worker) {
		k->by[1] = LEDGER_NOBODY;
	} else {
		return;
	}
	if (k->by[0] != LEDGER_NOBODY)
		return;
	l->n_running--;
	wait_again(l, task);
}

void ledger_lose(struct ledger *l, uint32_t worker)
{
	for (uint32_t t = 0; t < l->n_tasks; t++) {
		struct task *k = &l->tasks[t];

		if (k->state != TASK_RUNNING || (k->by[0] != worker && k->by[1] != worker))
			continue;
		leave(l, t, worker);
		l->n_lost++;
	}
}

int ledger_fail(struct ledger *l, uint32_t task, uint32_t worker)
{
	struct task *k = &l->tasks[task];

	if (k->state != TASK_RUNNING || (k->by[0] != worker && k->by[1] != worker))
		return 0;
	leave(l, task, worker);
	l->n_failed++;
	k->failures += k->failed_by != worker;
	k->failed_by = worker;
	return k->failures >= LEDGER_FAILURES_MAX ? -EIO : 0;
}

uint64_t ledger_left_ms(const struct ledger *l, uint32_t slots)
{
	if (!l->n_done || !slots)
		return 0;
	return l->spent_ms / l->n_done * (l->n_tasks - l->n_done) / slots;
}
