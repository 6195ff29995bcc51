/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * answers.c - the answers to tasks: kept, computed a second time, believed or thrown away
 *
 * Theory of operation. Three rules make it hard to lie unseen:
 *
 *	1. Each answer of a desktop is drawn with the same small chance, by a number that is made
 *	   after the answer has come.
 *	2. When the last task of a batch is done, each desktop that has answers in it and has not
 *	   yet had one checked gets one of them drawn. The draw waits for the whole batch, so that the
 *	   desktop cannot know which one it will be: not its first, for instance.
 *	3. A batch is told when its own checks are over and all its desktops have passed one.
 *
 * Only trusted nodes check. Two desktops that agree prove little: a trick that one of them knows,
 * the other may know as well.
 *
 * Whether BLAST+ searches at all depends on the queries alone, so it is the same for all tasks of a
 * batch. One trusted word on it exposes all who say otherwise; without one a check is drawn.
 */
#include "blast/core/answers.h"

#include <assert.h>
#include <errno.h>

#include "base/rng.h"

int answers_init(struct answers *a, struct ledger *l, uint32_t percent)
{
	struct answers v = { .ledger = l, .percent = percent };

	v.given = calloc(l->n_tasks, sizeof(*v.given));
	v.batches = calloc(l->n_batches, sizeof(*v.batches));
	v.open = calloc(l->n_batches, sizeof(*v.open));
	if (!v.given || !v.batches || !v.open) {
		answers_done(&v);
		return -ENOMEM;
	}
	*a = v;
	return 0;
}

void answers_done(struct answers *a)
{
	for (uint32_t b = 0; a->batches && b < a->ledger->n_batches; b++)
		hits_done(&a->batches[b]);
	free(a->given);
	free(a->batches);
	free(a->open);
	free(a->nodes);
	*a = (struct answers){ 0 };
}

int answers_know(struct answers *a, uint32_t node, enum trust trust)
{
	struct answers_node *v;

	assert(node == a->n_nodes);
	v = realloc(a->nodes, (node + 1) * sizeof(*v));
	if (!v)
		return -ENOMEM;
	v[node] = (struct answers_node){ .trust = trust };
	a->nodes = v;
	a->n_nodes++;
	return 0;
}

/* -- checks ------------------------------------------------------------------------------- */

/* the only place where the state of a check changes, with all that is counted by it */
static void set_check(struct answers *a, uint32_t task, enum check_state to)
{
	static const bool allowed[][CHECK_PASSED + 1] = {
		[CHECK_NONE] = { [CHECK_DUE] = true },
		[CHECK_DUE] = { [CHECK_RUNNING] = true, [CHECK_NONE] = true },
		[CHECK_RUNNING] = { [CHECK_DUE] = true,
				    [CHECK_PASSED] = true,
				    [CHECK_NONE] = true },
		[CHECK_PASSED] = { [CHECK_NONE] = true },
	};
	struct given *g = &a->given[task];
	uint32_t batch = a->ledger->tasks[task].batch;
	bool was = g->check == CHECK_DUE || g->check == CHECK_RUNNING;
	bool is = to == CHECK_DUE || to == CHECK_RUNNING;

	assert(allowed[g->check][to]);
	a->open[batch] += (uint32_t)is - (uint32_t)was;
	a->nodes[g->node].n_open += (uint32_t)is - (uint32_t)was;
	a->n_due += (uint32_t)(to == CHECK_DUE) - (uint32_t)(g->check == CHECK_DUE);
	if (to == CHECK_DUE && task < a->first_due)
		a->first_due = task;
	g->check = to;
}

static void draw(struct answers *a, uint32_t task)
{
	a->given[task].failures = 0;
	set_check(a, task, CHECK_DUE);
}

/* could still be false */
static bool doubtful(const struct answers *a, uint32_t task)
{
	const struct given *g = &a->given[task];

	return a->ledger->tasks[task].state == TASK_DONE && g->check != CHECK_PASSED &&
	       a->nodes[g->node].trust == TRUST_NONE;
}

static const struct fragment *range(const struct answers *a, uint32_t task)
{
	return &a->ledger->fragments[a->ledger->tasks[task].fragment];
}

static void forget(struct answers *a, uint32_t task)
{
	const struct fragment *f = range(a, task);

	hits_drop(&a->batches[a->ledger->tasks[task].batch], f->first, f->last);
	if (a->given[task].check != CHECK_NONE)
		set_check(a, task, CHECK_NONE);
}

/* all it said without a check is void */
static void expose(struct answers *a, uint32_t node, uint32_t task, uint32_t by)
{
	struct answers_node *n = &a->nodes[node];
	uint32_t first = a->n_told * a->ledger->n_fragments;

	n->liar = true;
	n->caught_by = by;
	n->caught_task = task;
	for (uint32_t t = 0; t < a->ledger->n_tasks; t++) {
		if (a->given[t].node != node || !doubtful(a, t))
			continue;
		if (t < first) {
			a->tainted = true;
			continue;
		}
		forget(a, t);
		ledger_reopen(a->ledger, t);
		n->n_dropped++;
		a->n_dropped++;
	}
}

/* one answer of each desktop in the batch that has none checked, nor drawn */
static void draw_newcomers(struct answers *a, uint32_t batch, struct rng *random)
{
	uint32_t n = a->ledger->n_fragments, first = batch * n;

	for (uint32_t t = first; t < first + n; t++)
		a->nodes[a->given[t].node].seen = 0;
	for (uint32_t t = first; t < first + n; t++) {
		struct answers_node *k = &a->nodes[a->given[t].node];

		if (!k->passed && !k->n_open && doubtful(a, t) && !rng_below(random, ++k->seen))
			k->pick = t;
	}
	for (uint32_t t = first; t < first + n; t++) {
		struct answers_node *k = &a->nodes[a->given[t].node];

		if (k->seen && k->pick == t)
			draw(a, t);
	}
}

/* all must say the same on whether there was anything to search with */
static int settle_searched(struct answers *a, uint32_t batch, struct rng *random)
{
	uint32_t n = a->ledger->n_fragments, first = batch * n, sure = ANSWERS_NOBODY;
	bool agree = true;

	for (uint32_t t = first; t < first + n; t++) {
		agree = agree && a->given[t].searched == a->given[first].searched;
		if (doubtful(a, t))
			continue;
		if (sure != ANSWERS_NOBODY && a->given[t].searched != a->given[sure].searched)
			return -EPROTO;
		sure = t;
	}
	if (agree)
		return 0;
	if (sure == ANSWERS_NOBODY) {
		uint32_t t = first + rng_below(random, n);

		if (!a->open[batch])
			draw(a, t);
		return 0;
	}
	for (uint32_t t = first; t < first + n; t++)
		if (doubtful(a, t) && a->given[t].searched != a->given[sure].searched)
			expose(a, a->given[t].node, t, a->given[sure].node);
	return 0;
}

static int settle(struct answers *a, uint32_t batch, struct rng *random)
{
	int r;

	if (a->ledger->open[batch])
		return 0;
	r = settle_searched(a, batch, random);
	if (!r && !a->ledger->open[batch])
		draw_newcomers(a, batch, random);
	return r;
}

/* -- answers ------------------------------------------------------------------------------ */

static int keep(struct answers *a, const struct answer *v)
{
	struct given *g = &a->given[v->task];

	g->node = v->node;
	g->searched = v->searched;
	return hits_append(&a->batches[a->ledger->tasks[v->task].batch], v->hits);
}

/* the second answer to a task, by a node that is trusted */
static int compare(struct answers *a, const struct answer *v)
{
	const struct fragment *f = range(a, v->task);
	struct given *g = &a->given[v->task];
	const struct hits *first = &a->batches[a->ledger->tasks[v->task].batch];
	uint32_t suspect = g->node;
	int r;

	a->n_checked++;
	if (g->searched == v->searched && hits_same(first, f->first, f->last, v->hits)) {
		set_check(a, v->task, CHECK_PASSED);
		a->nodes[suspect].passed = true;
		return 0;
	}
	a->n_false++;
	a->n_dropped++;
	a->nodes[suspect].n_dropped++;
	forget(a, v->task);
	r = keep(a, v); /* first, so that the task is not the liar's any more */
	expose(a, suspect, v->task, v->node);
	return r;
}

int answers_put(struct answers *a, const struct answer *v, enum answer_use *ret)
{
	struct given *g = &a->given[v->task];
	uint32_t batch = a->ledger->tasks[v->task].batch;
	struct rng random;
	bool last;
	int r;

	*ret = ANSWER_LATE;
	if (a->nodes[v->node].liar)
		return 0;
	rng_init(&random, v->random);
	if (g->check == CHECK_RUNNING && g->checker == v->worker) {
		*ret = ANSWER_CHECK;
		r = compare(a, v);
	} else {
		if (!ledger_answer(a->ledger, v->task, v->now_ms, &last))
			return 0;
		*ret = ANSWER_KEPT;
		r = keep(a, v);
		if (!r && doubtful(a, v->task) && rng_below(&random, 100) < a->percent)
			draw(a, v->task);
	}
	return r < 0 ? r : settle(a, batch, &random);
}

void answers_accuse(struct answers *a, uint32_t node, uint32_t task)
{
	if (a->nodes[node].trust == TRUST_NONE && !a->nodes[node].liar)
		expose(a, node, task, ANSWERS_NOBODY);
}

uint32_t answers_liar(struct answers *a)
{
	for (uint32_t i = 0; i < a->n_nodes; i++)
		if (a->nodes[i].liar && !a->nodes[i].told) {
			a->nodes[i].told = true;
			return i;
		}
	return ANSWERS_NOBODY;
}

/* -- work --------------------------------------------------------------------------------- */

static int64_t first_due(struct answers *a)
{
	if (!a->n_due)
		return -1;
	while (a->given[a->first_due].check != CHECK_DUE)
		a->first_due++;
	return a->first_due;
}

int64_t answers_take(struct answers *a, uint32_t worker, uint32_t node, uint32_t fragment,
		     uint64_t now_ms)
{
	const struct answers_node *n = &a->nodes[node];
	int64_t t = n->trust == TRUST_NONE ? -1 : first_due(a);

	if (n->liar)
		return -1;
	if (t >= 0) {
		a->given[t].checker = worker;
		set_check(a, (uint32_t)t, CHECK_RUNNING);
		return t;
	}
	if (n->trust == TRUST_CHECKS)
		return -1;
	return ledger_take(a->ledger, worker, fragment, now_ms);
}

void answers_lose(struct answers *a, uint32_t worker)
{
	ledger_lose(a->ledger, worker);
	for (uint32_t t = 0; t < a->ledger->n_tasks; t++)
		if (a->given[t].check == CHECK_RUNNING && a->given[t].checker == worker)
			set_check(a, t, CHECK_DUE);
}

int answers_fail(struct answers *a, uint32_t task, uint32_t worker)
{
	struct given *g = &a->given[task];

	if (g->check != CHECK_RUNNING || g->checker != worker)
		return ledger_fail(a->ledger, task, worker);
	set_check(a, task, CHECK_DUE);
	return ++g->failures >= LEDGER_FAILURES_MAX ? -EIO : 0;
}

static bool believed(const struct answers *a, uint32_t batch)
{
	uint32_t n = a->ledger->n_fragments, first = batch * n;

	if (a->ledger->open[batch] || a->open[batch])
		return false;
	for (uint32_t t = first; t < first + n; t++)
		if (doubtful(a, t) && !a->nodes[a->given[t].node].passed)
			return false;
	return true;
}

int answers_tell(struct answers *a, bool *ret_searched, uint32_t **ret, uint32_t *ret_n)
{
	struct hits *h = &a->batches[a->n_told];
	int r;

	if (a->n_told == a->ledger->n_batches || !believed(a, a->n_told))
		return 0;
	r = hits_choose(h, ret, ret_n);
	if (r < 0)
		return r;
	hits_done(h);
	*ret_searched = a->given[a->n_told * a->ledger->n_fragments].searched;
	a->n_told++;
	return 1;
}
