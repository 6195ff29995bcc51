/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_late.c - which pages are still at home, and which of them are asked for next */
#include "migrate/late.h"
#include "migrate/prefetch.h"

#include "base/rng.h"
#include "tests/unit/test.h"

#define P(n)  (0x10000000ULL + (uint64_t)(n)*LATE_PAGE)
#define PAGES 2048 /* of the place that the random test changes */

static void expect(const struct late *l, uint64_t from, uint64_t start, uint64_t n)
{
	uint64_t at, pages;

	assert_true(late_next(l, from, P(PAGES), &at, &pages));
	assert_int_equal(at, start);
	assert_int_equal(pages, n);
}

static void expect_none(const struct late *l, uint64_t from, uint64_t end)
{
	uint64_t at, pages;

	assert_false(late_next(l, from, end, &at, &pages));
}

static void pages_come_and_go(void **state)
{
	struct late l;

	(void)state;
	late_init(&l);
	expect_none(&l, 0, UINT64_MAX);
	assert_int_equal(late_add(&l, P(0), P(100)), 0);
	assert_int_equal(late_add(&l, P(200), P(300)), 0);
	expect(&l, 0, P(0), 100);
	expect(&l, P(100), P(200), 100);
	assert_int_equal(late_got(&l, P(0), 10), 0);
	assert_int_equal(late_got(&l, P(20), 1), 0);
	expect(&l, 0, P(10), 10);
	expect(&l, P(20), P(21), 79);
	/* a hole in the middle, then over the edges of both */
	assert_int_equal(late_drop(&l, P(40), P(50)), 0);
	expect(&l, P(30), P(30), 10);
	expect(&l, P(40), P(50), 50);
	assert_int_equal(late_drop(&l, P(90), P(210)), 0);
	expect(&l, P(80), P(80), 10);
	expect(&l, P(90), P(210), 90);
	/* what is late again has not come */
	assert_int_equal(late_add(&l, P(0), P(20)), 0);
	expect(&l, 0, P(0), 20);
	assert_int_equal(late_drop(&l, 0, P(PAGES)), 0);
	expect_none(&l, 0, UINT64_MAX);
	late_done(&l);
}

static void moved_pages_know_their_home(void **state)
{
	uint64_t at, skip, n;
	struct late l;

	(void)state;
	late_init(&l);
	assert_int_equal(late_add(&l, P(0), P(100)), 0);
	assert_int_equal(late_got(&l, P(10), 5), 0);
	assert_false(late_next_displaced(&l, 0, &at, &n));
	/* 8 to 20, without the five that are there */
	assert_int_equal(late_move(&l, P(8), P(20), P(500)), 0);
	expect(&l, P(0), P(0), 8);
	expect(&l, P(8), P(20), 80);
	expect(&l, P(400), P(500), 2);
	expect(&l, P(502), P(507), 5);
	assert_int_equal(late_home(&l, P(500)), P(8));
	assert_int_equal(late_home(&l, P(508)), P(16));
	assert_int_equal(late_home(&l, P(50)), P(50));
	assert_true(late_next_displaced(&l, 0, &at, &n));
	assert_int_equal(at, P(500));

	/* home sends what it has, at its own addresses */
	assert_true(late_place(&l, P(6), 20, &at, &skip, &n));
	assert_int_equal(at, P(6));
	assert_int_equal(skip, 0);
	assert_int_equal(n, 2);
	assert_true(late_place(&l, P(8), 18, &at, &skip, &n));
	assert_int_equal(at, P(500));
	assert_int_equal(n, 2);
	assert_true(late_place(&l, P(10), 16, &at, &skip, &n));
	assert_int_equal(at, P(507));
	assert_int_equal(skip, 5);
	assert_int_equal(n, 5);
	assert_false(late_place(&l, P(1000), 4, &at, &skip, &n));

	/* back to where it was: nothing is displaced any more */
	assert_int_equal(late_move(&l, P(500), P(512), P(8)), 0);
	assert_false(late_next_displaced(&l, 0, &at, &n));
	expect(&l, P(8), P(8), 2);
	expect(&l, P(10), P(15), 5);
	late_done(&l);
}

/* the same as an array that knows for each page where it is at home, 0: it is not late */
struct model {
	uint64_t home[PAGES];
};

static void same(const struct late *l, const struct model *m)
{
	for (uint64_t i = 0; i < PAGES; i++) {
		uint64_t at, n;
		bool late = late_next(l, P(i), P(i + 1), &at, &n);

		assert_int_equal(late, m->home[i] != 0);
		if (late)
			assert_int_equal(late_home(l, P(i)), m->home[i]);
	}
}

static void one_change(struct late *l, struct model *m, struct rng *r)
{
	uint64_t i = rng_below(r, PAGES), n = 1 + rng_below(r, 60), to = rng_below(r, PAGES);
	uint64_t moved[64];

	n = i + n > PAGES ? PAGES - i : n;
	switch (rng_below(r, 3)) {
	case 0:
		assert_int_equal(late_got(l, P(i), n), 0);
		memset(&m->home[i], 0, n * sizeof(*m->home));
		break;
	case 1:
		assert_int_equal(late_drop(l, P(i), P(i + n)), 0);
		memset(&m->home[i], 0, n * sizeof(*m->home));
		break;
	default: /* mremap(2) does not take places that overlap */
		n = to + n > PAGES ? PAGES - to : n;
		if (to < i + n && i < to + n)
			return;
		assert_int_equal(late_move(l, P(i), P(i + n), P(to)), 0);
		memcpy(moved, &m->home[i], n * sizeof(*moved));
		memset(&m->home[i], 0, n * sizeof(*m->home));
		memcpy(&m->home[to], moved, n * sizeof(*moved));
	}
}

static void any_order_of_changes(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 8; seed++) {
		static struct model m;
		struct late l;
		struct rng r;

		rng_init(&r, seed);
		late_init(&l);
		assert_int_equal(late_add(&l, P(0), P(PAGES)), 0);
		for (uint64_t i = 0; i < PAGES; i++)
			m.home[i] = P(i);
		for (int k = 0; k < 200; k++)
			one_change(&l, &m, &r);
		same(&l, &m);
		late_done(&l);
	}
}

/* ------------------------------------------------------------------ prefetch */

static void ask(struct prefetch *p, struct late *l, uint64_t *at, uint64_t *n)
{
	assert_true(prefetch_next(p, l, at, n));
	assert_true(*n >= 1 && *n <= PREFETCH_PIECE);
	assert_int_equal(late_ask(l, *at, *n), 0);
}

static void every_page_is_asked_for_once(void **state)
{
	uint64_t at, n, all = 0;
	struct prefetch p;
	struct rng r;
	struct late l;

	(void)state;
	rng_init(&r, 3);
	late_init(&l);
	prefetch_init(&p);
	assert_int_equal(late_add(&l, P(0), P(1000)), 0);
	assert_int_equal(late_add(&l, P(1500), P(PAGES)), 0);
	while (prefetch_next(&p, &l, &at, &n)) {
		assert_false(late_is_asked(&l, at));
		assert_int_equal(late_ask(&l, at, n), 0);
		all += n;
		if (rng_below(&r, 4) == 0)
			prefetch_fault(&p, P(rng_below(&r, PAGES)));
	}
	assert_int_equal(all, 1000 + PAGES - 1500);
	/* what is moved behind the sweep is found all the same */
	assert_int_equal(late_move(&l, P(900), P(905), P(1200)), 0);
	ask(&p, &l, &at, &n);
	assert_int_equal(at, P(1200));
	assert_int_equal(n, 5);
	assert_false(prefetch_next(&p, &l, &at, &n));
	late_done(&l);
}

static void neighbours_of_a_fault_come_first(void **state)
{
	uint64_t at, n;
	struct prefetch p;
	struct late l;

	(void)state;
	late_init(&l);
	prefetch_init(&p);
	assert_int_equal(late_add(&l, P(0), P(PAGES)), 0);
	prefetch_fault(&p, P(1000));
	ask(&p, &l, &at, &n);
	assert_int_equal(at, P(1000));
	prefetch_fault(&p, P(77));
	ask(&p, &l, &at, &n);
	assert_int_equal(at, P(77));
	late_done(&l);
}

static void a_walk_is_known(void **state)
{
	const uint64_t step = 3;
	uint64_t at, n;
	struct prefetch p;
	struct late l;

	(void)state;
	late_init(&l);
	prefetch_init(&p);
	assert_int_equal(late_add(&l, P(0), P(PAGES)), 0);
	for (uint64_t i = 0; i < 4; i++) {
		assert_int_equal(late_got(&l, P(100 + i * step), 1), 0);
		prefetch_fault(&p, P(100 + i * step));
	}
	for (uint64_t i = 4; i < 8; i++) {
		ask(&p, &l, &at, &n);
		assert_int_equal(at, P(100 + i * step));
		assert_int_equal(n, 1);
	}
	late_done(&l);
}

static void slow_answers_make_the_window_small(void **state)
{
	struct prefetch p;

	(void)state;
	prefetch_init(&p);
	for (int i = 0; i < 20; i++)
		prefetch_answered(&p, 10 * PREFETCH_SLOW_US);
	assert_int_equal(p.window, PREFETCH_WINDOW_MIN);
	for (int i = 0; i < 100; i++)
		prefetch_answered(&p, 100);
	assert_int_equal(p.window, PREFETCH_WINDOW_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pages_come_and_go),
		cmocka_unit_test(moved_pages_know_their_home),
		cmocka_unit_test(any_order_of_changes),
		cmocka_unit_test(every_page_is_asked_for_once),
		cmocka_unit_test(neighbours_of_a_fault_come_first),
		cmocka_unit_test(a_walk_is_known),
		cmocka_unit_test(slow_answers_make_the_window_small),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
