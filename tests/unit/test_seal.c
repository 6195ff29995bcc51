/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_seal.c - the replay window, and datagrams that are opened once by the right end only */
#include <errno.h>

#include "test.h"

#include "base/rng.h"
#include "net/seal.h"

/* the window against a list of all counters ever taken */
static void the_window_is_right(void **state)
{
	static bool taken[8192];

	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct seal_window w = { 0 };
		struct rng r;
		uint64_t top = 0;

		memset(taken, 0, sizeof(taken));
		rng_init(&r, seed);
		for (int i = 0; i < 4000; i++) {
			uint64_t c = rng_below(&r, 200) == 0
					     ? top + rng_below(&r, 2 * SEAL_WINDOW)
					     : top + 3 - rng_below(&r, SEAL_WINDOW + 40);
			bool want;

			if (c >= ARRAY_LEN(taken))
				continue; /* wrapped below zero, or above the list */
			want = c && !taken[c] && (c > top || top - c < SEAL_WINDOW);
			if (seal_window_fresh(&w, c) != want)
				fail_msg("seed %d: counter %d, top %d", (int)seed, (int)c,
					 (int)top);
			if (!want)
				continue;
			seal_window_take(&w, c);
			taken[c] = true;
			top = c > top ? c : top;
		}
	}
}

static void two_ends(struct seal **a, struct seal **b)
{
	uint8_t m[SEAL_MATERIAL];

	for (size_t i = 0; i < sizeof(m); i++)
		m[i] = (uint8_t)(i * 7);
	assert_int_equal(seal_new(m, true, a), 0);
	assert_int_equal(seal_new(m, false, b), 0);
}

static void datagrams_are_opened_once(void **state)
{
	uint8_t d[SEAL_DATAGRAM_MAX], to[SEAL_PAYLOAD_MAX];
	struct seal *a, *b;
	size_t n;

	two_ends(&a, &b);
	assert_int_equal(seal_close(a, "hello", 5, d), 0);
	assert_int_equal(seal_open(a, d, 5 + SEAL_OVERHEAD, to, &n), -EBADMSG); /* reflected */
	assert_int_equal(seal_open(b, d, 5 + SEAL_OVERHEAD, to, &n), 0);
	assert_int_equal(n, 5);
	assert_memory_equal(to, "hello", 5);
	assert_int_equal(seal_open(b, d, 5 + SEAL_OVERHEAD, to, &n), -EALREADY);
	assert_int_equal(seal_close(b, "", 0, d), 0);
	assert_int_equal(seal_open(a, d, SEAL_OVERHEAD, to, &n), 0);
	assert_int_equal(n, 0);
	seal_free(a);
	seal_free(b);
}

static void no_bit_can_be_changed(void **state)
{
	uint8_t d[64], bad[64], to[SEAL_PAYLOAD_MAX];
	struct seal *a, *b;
	size_t n, len = 7 + SEAL_OVERHEAD;

	two_ends(&a, &b);
	assert_int_equal(seal_close(a, "payload", 7, d), 0);
	for (size_t bit = 0; bit < len * 8; bit++) {
		memcpy(bad, d, len);
		bad[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_not_equal(seal_open(b, bad, len, to, &n), 0);
	}
	for (size_t cut = 0; cut < len; cut++)
		assert_int_equal(seal_open(b, d, cut, to, &n), -EBADMSG);
	assert_int_equal(seal_open(b, d, len, to, &n), 0); /* none of that moved the window */
	seal_free(a);
	seal_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_window_is_right),
		cmocka_unit_test(datagrams_are_opened_once),
		cmocka_unit_test(no_bit_can_be_changed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
