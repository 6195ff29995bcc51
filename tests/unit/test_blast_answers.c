/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_blast_answers.c - blast/core/answers: liars are found, and nothing of them is told
 *
 * The searches here are random: nodes that lie, workers that are lost or fail, answers that come in
 * any order. One seed is one search. The truth is known, so what is told can be held against it.
 */
#include <errno.h>

#include "test.h"

#include "base/rng.h"
#include "blast/core/answers.h"

#define NODES_MAX 12
#define SEQS	  4000
#define STEPS_MAX 200000

/* what a search is made of */
struct world {
	uint64_t seed;
	uint32_t percent, n_batches, n_servers, n_desktops;
	uint32_t n_liars;	  /* of the desktops, the first */
	uint32_t lie_of_100;	  /* answers of a liar that are lies */
	uint32_t n_lies;	  /* if set: its first so many answers are, and no others */
	uint32_t trouble_of_1000; /* steps at which a worker is lost or fails */
	bool unsearched;	  /* it lies about having searched */
};

/* and what came of it */
struct outcome {
	bool tainted, false_told;
	uint32_t n_lies, n_exposed, n_honest_exposed, n_answers;
	uint32_t n_checked;
};

struct sim {
	const struct world *w;
	struct rng random;
	struct ledger ledger;
	struct answers answers;
	struct outcome o;
	uint32_t worker[NODES_MAX]; /* id of the worker on each node */
	int64_t task[NODES_MAX];    /* what it is at; -1: nothing */
	uint32_t n_nodes, last_worker;
	uint64_t now_ms;
};

static bool is_liar(const struct sim *s, uint32_t node)
{
	return node > s->w->n_servers && node <= s->w->n_servers + s->w->n_liars;
}

/* the hits of a task: none to three sequences, always the same */
static void truth(const struct sim *s, uint32_t task, struct hits *to)
{
	const struct fragment *f = &s->ledger.fragments[s->ledger.tasks[task].fragment];
	uint32_t part = (f->last - f->first) / 4;
	struct rng r;

	rng_init(&r, s->w->seed * 1000003 + task);
	for (uint32_t n = rng_below(&r, 4), i = 0; i < n; i++) {
		struct prelim_hit h = { i, f->first + i * part + rng_below(&r, part), rng_unit(&r),
					1000, PRELIM_HIT };

		assert_int_equal(hits_add(to, &h), 0);
	}
	assert_int_equal(hits_check(to, 4, f->first, f->last, NULL), 0);
}

/* leave one out, or add the last sequence of the fragment, which no truth has */
static void lie(const struct sim *s, uint32_t task, struct hits *h)
{
	const struct fragment *f = &s->ledger.fragments[s->ledger.tasks[task].fragment];
	const struct prelim_hit invented = { 3, f->last - 1, 1, 1000, PRELIM_HIT };

	if (h->n)
		h->n--;
	else
		assert_int_equal(hits_add(h, &invented), 0);
	assert_int_equal(hits_check(h, 4, f->first, f->last, NULL), 0);
}

static bool lies_now(struct sim *s, uint32_t node)
{
	if (!is_liar(s, node))
		return false;
	if (s->w->n_lies)
		return s->o.n_lies < s->w->n_lies;
	return rng_below(&s->random, 100) < s->w->lie_of_100;
}

static void lose(struct sim *s, uint32_t node)
{
	answers_lose(&s->answers, s->worker[node]);
	s->worker[node] = ++s->last_worker;
	s->task[node] = -1;
}

static void hear(struct sim *s, uint32_t node)
{
	struct hits h = { 0 };
	struct answer v = { s->worker[node],	node, (uint32_t)s->task[node], &h, true, s->now_ms,
			    rng_u64(&s->random) };
	uint32_t liar;
	enum answer_use use;

	truth(s, v.task, &h);
	if (lies_now(s, node)) {
		s->o.n_lies++;
		v.searched = !s->w->unsearched;
		if (s->w->unsearched)
			h.n = 0;
		else
			lie(s, v.task, &h);
	}
	s->o.n_answers += node > s->w->n_servers;
	s->task[node] = -1;
	assert_int_equal(answers_put(&s->answers, &v, &use), 0);
	for (uint32_t i = 0; use == ANSWER_KEPT && i < s->n_nodes; i++)
		if (s->task[i] == v.task)
			s->task[i] = -1; /* cancelled */
	while ((liar = answers_liar(&s->answers)) != ANSWERS_NOBODY) {
		s->o.n_exposed++;
		s->o.n_honest_exposed += !is_liar(s, liar);
		lose(s, liar);
	}
	hits_done(&h);
}

static void tell(struct sim *s)
{
	uint32_t *oids, n, batch = s->answers.n_told;
	bool searched;

	while (answers_tell(&s->answers, &searched, &oids, &n) == 1) {
		struct hits h = { 0 };
		uint32_t *want, n_want, first = batch++ * s->ledger.n_fragments;

		for (uint32_t t = first; t < first + s->ledger.n_fragments; t++) {
			struct hits one = { 0 };

			truth(s, t, &one);
			assert_int_equal(hits_append(&h, &one), 0);
			hits_done(&one);
		}
		assert_int_equal(hits_choose(&h, &want, &n_want), 0);
		if (!searched || n != n_want || (n && memcmp(oids, want, n * sizeof(*oids)) != 0))
			s->o.false_told = true;
		free(want);
		free(oids);
		hits_done(&h);
	}
}

static void step(struct sim *s)
{
	uint32_t node = rng_below(&s->random, s->n_nodes);

	s->now_ms += rng_below(&s->random, 1000);
	if (s->task[node] < 0) {
		s->task[node] = answers_take(&s->answers, s->worker[node], node, UINT32_MAX,
					     s->now_ms);
	} else if (rng_below(&s->random, 1000) < s->w->trouble_of_1000) {
		lose(s, node);
	} else {
		hear(s, node);
		tell(s);
	}
}

/* node 0 only checks, then servers, then desktops */
static struct outcome play(const struct world *w)
{
	const struct ledger_size size = { w->n_batches, 10000 * w->n_batches, SEQS, 90000000, 5 };
	struct sim s = { .w = w, .n_nodes = 1 + w->n_servers + w->n_desktops };
	uint32_t steps = 0;

	rng_init(&s.random, w->seed);
	assert_int_equal(ledger_init(&s.ledger, &size), 0);
	assert_int_equal(answers_init(&s.answers, &s.ledger, w->percent), 0);
	for (uint32_t i = 0; i < s.n_nodes; i++) {
		enum trust trust = !i ? TRUST_CHECKS : i <= w->n_servers ? TRUST_FULL : TRUST_NONE;

		assert_int_equal(answers_know(&s.answers, i, trust), 0);
		s.worker[i] = ++s.last_worker;
		s.task[i] = -1;
	}
	while (s.answers.n_told < s.ledger.n_batches && !s.answers.tainted) {
		if (w->n_servers + w->n_desktops == s.o.n_exposed)
			break;			  /* nobody is left to work */
		assert_true(++steps < STEPS_MAX); /* it does not come to its end */
		step(&s);
	}
	s.o.tainted = s.answers.tainted;
	s.o.n_checked = s.answers.n_checked;
	answers_done(&s.answers);
	ledger_done(&s.ledger);
	return s.o;
}

static void when_all_is_checked_nothing_false_is_told(void **state)
{
	uint32_t lies = 0, exposed = 0;

	for (uint64_t seed = 1; seed <= 400; seed++) {
		const struct world w = {
			.seed = seed,
			.percent = 100,
			.n_batches = 1 + (uint32_t)seed % 5,
			.n_servers = (uint32_t)seed % 3,
			.n_desktops = 2 + (uint32_t)seed % 8,
			.n_liars = (uint32_t)seed % 4,
			.lie_of_100 = 1 + (uint32_t)seed % 60,
			.trouble_of_1000 = (uint32_t)seed % 2 * 100,
			.unsearched = seed % 7 == 0,
		};
		struct outcome o = play(&w);

		assert_false(o.false_told);
		assert_false(o.tainted);
		assert_int_equal(o.n_honest_exposed, 0);
		lies += o.n_lies;
		exposed += o.n_exposed;
	}
	assert_true(lies > 300 && exposed > 200);
}

static void samples_never_blame_the_honest(void **state)
{
	uint32_t exposed = 0;

	for (uint64_t seed = 1; seed <= 400; seed++) {
		const struct world w = {
			.seed = seed,
			.percent = (uint32_t)seed % 30,
			.n_batches = 1 + (uint32_t)seed % 5,
			.n_servers = (uint32_t)seed % 2,
			.n_desktops = 3 + (uint32_t)seed % 8,
			.n_liars = (uint32_t)seed % 3,
			.lie_of_100 = 30,
			.trouble_of_1000 = 50,
			.unsearched = seed % 7 == 0,
		};
		struct outcome o = play(&w);

		/* what is false and told is either never noticed, or the search is begun again */
		assert_int_equal(o.n_honest_exposed, 0);
		assert_true(!o.false_told || w.n_liars);
		exposed += o.n_exposed;
	}
	assert_true(exposed > 100);
}

/* each desktop has one answer checked, even when nothing is drawn by chance */
static void each_desktop_is_checked_once(void **state)
{
	for (uint64_t seed = 1; seed <= 50; seed++) {
		const struct world w = {
			.seed = seed, .n_batches = 3, .n_servers = 1, .n_desktops = 4
		};
		struct outcome o = play(&w);

		assert_true(o.n_checked >= 1 && o.n_checked <= 4);
		assert_false(o.false_told || o.n_exposed);
	}
}

/* a search by liars alone, who all tell the same lie */
static void liars_that_agree_are_found(void **state)
{
	const struct world w = {
		.seed = 5, .n_batches = 2, .n_desktops = 4, .n_liars = 4, .lie_of_100 = 100
	};
	struct outcome o = play(&w);

	assert_int_equal(o.n_exposed, 4);
	assert_false(o.false_told);
}

static double power(double x, uint32_t n)
{
	double v = 1;

	while (n--)
		v *= x;
	return v;
}

/*
 * docs/TRUST.md: one desktop, one batch, k answers, the first m of them lies. Unseen is who has
 * none drawn by chance, and not the one that is drawn when nothing was.
 */
static void the_odds_are_as_written(void **state)
{
	static const struct {
		uint32_t percent, m;
	} rows[] = { { 0, 1 }, { 0, 3 }, { 2, 1 }, { 2, 2 }, { 20, 1 }, { 20, 3 }, { 50, 2 } };
	const uint32_t runs = 4000;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint32_t unseen = 0, k = 0, m = rows[i].m;
		double q = 1 - rows[i].percent / 100.0, want;

		for (uint64_t seed = 1; seed <= runs; seed++) {
			const struct world w = { .seed = seed + 1000000 * i,
						 .percent = rows[i].percent,
						 .n_batches = 1,
						 .n_desktops = 1,
						 .n_liars = 1,
						 .n_lies = m };
			struct outcome o = play(&w);

			unseen += o.false_told;
			if (!o.n_exposed)
				k = o.n_answers;
			assert_true(o.false_told != (o.n_exposed == 1));
		}
		assert_true(k > m);
		want = power(q, m) * (1 - power(q, k - m)) + power(q, k) * (1 - (double)m / k);
		/* five standard deviations of so many runs at most */
		assert_true(unseen < runs * want + 5 * 32 && unseen + 5 * 32 > runs * want);
	}
}

static void a_check_that_fails_everywhere_is_given_up(void **state)
{
	const struct ledger_size size = { 1, 100, 100, 30000, 1 };
	struct answers a;
	struct ledger l;
	struct hits none = { 0 };
	const struct answer v = { 1, 0, 0, &none, true, 5, 7 };
	enum answer_use use;

	assert_int_equal(ledger_init(&l, &size), 0);
	assert_int_equal(answers_init(&a, &l, 100), 0);
	assert_int_equal(answers_know(&a, 0, TRUST_NONE), 0);
	assert_int_equal(answers_know(&a, 1, TRUST_CHECKS), 0);
	assert_int_equal(answers_take(&a, 2, 1, UINT32_MAX, 0), -1); /* it only checks */
	assert_int_equal(answers_take(&a, 1, 0, UINT32_MAX, 0), 0);
	assert_int_equal(answers_put(&a, &v, &use), 0);
	assert_int_equal(use, ANSWER_KEPT);
	for (uint32_t i = 0; i < LEDGER_FAILURES_MAX; i++) {
		assert_int_equal(a.n_due, 1);
		assert_int_equal(answers_take(&a, 1, 0, UINT32_MAX, 0), -1); /* not its own */
		assert_int_equal(answers_take(&a, 2 + i, 1, UINT32_MAX, 0), 0);
		assert_int_equal(answers_fail(&a, 0, 2 + i),
				 i + 1 < LEDGER_FAILURES_MAX ? 0 : -EIO);
	}
	answers_done(&a);
	ledger_done(&l);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(when_all_is_checked_nothing_false_is_told),
		cmocka_unit_test(samples_never_blame_the_honest),
		cmocka_unit_test(each_desktop_is_checked_once),
		cmocka_unit_test(liars_that_agree_are_found),
		cmocka_unit_test(the_odds_are_as_written),
		cmocka_unit_test(a_check_that_fails_everywhere_is_given_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
