/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_clock.c - the clocks of home at the host: never behind, and set by a time namespace */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/rng.h"
#include "migrate/clock.h"
#include "test.h"

#define MS 1000000LL
#define S  1000000000LL

static struct clocks at(int64_t monotonic_ns, int64_t boottime_ns)
{
	return (struct clocks){ monotonic_ns, boottime_ns };
}

static void the_upper_end_is_taken(void **state)
{
	struct clocks_sync s = { 0 };
	struct clocks sent = at(100 * S, 200 * S), home = at(5000 * S, 9000 * S),
		      received = at(100 * S + 3 * MS, 200 * S + 3 * MS);

	assert_int_equal(clocks_sample(&s, &sent, &home, &received), 0);
	assert_int_equal(s.offset.monotonic_ns, 4900 * S);
	assert_int_equal(s.offset.boottime_ns, 8800 * S);
	assert_int_equal(s.error_ns, 3 * MS);
	/* a slower question says nothing new */
	sent = at(101 * S, 201 * S);
	home = at(5001 * S + 5 * MS, 9001 * S + 5 * MS);
	received = at(101 * S + 9 * MS, 201 * S + 9 * MS);
	assert_int_equal(clocks_sample(&s, &sent, &home, &received), 0);
	assert_int_equal(s.offset.monotonic_ns, 4900 * S);
	assert_int_equal(s.error_ns, 3 * MS);
	assert_int_equal(s.n, 2);
}

/* whatever the ways take: never behind home, and no further ahead than said */
static void never_behind_home(void **state)
{
	struct rng r;

	rng_init(&r, 1);
	for (int i = 0; i < 2000; i++) {
		int64_t truth = (int64_t)rng_below(&r, 2000000) * MS - 1000 * S;
		int64_t now = 2000 * S, there;
		struct clocks_sync s = { 0 };

		for (int k = 0; k < CLOCKS_SAMPLES; k++) {
			struct clocks sent = at(now, now + S), home, received;

			now += 10000 + rng_below(&r, 5000000);
			home = at(now + truth, now + truth + S);
			now += 10000 + rng_below(&r, 5000000);
			received = at(now, now + S);
			assert_int_equal(clocks_sample(&s, &sent, &home, &received), 0);
		}
		there = now + s.offset.monotonic_ns;
		assert_true(there >= now + truth);
		assert_true(there - s.error_ns <= now + truth);
		assert_true(s.error_ns < 11 * MS);
		assert_true(s.offset.boottime_ns >= truth);
	}
}

static void clocks_that_cannot_be_are_refused(void **state)
{
	struct clocks good = at(S, S), bad = at(-1, S), late = at(2 * S, S), far = at(INT64_MAX, S);
	struct clocks_sync s = { 0 };

	assert_int_equal(clocks_sample(&s, &good, &bad, &good), -EPROTO);
	assert_int_equal(clocks_sample(&s, &good, &far, &good), -EPROTO);
	assert_int_equal(clocks_sample(&s, &late, &good, &good), -EPROTO);
	assert_int_equal(s.n, 0);
	assert_int_equal(clocks_hold_ns(&far, &good), 0);
	assert_int_equal(clocks_apply(&far, NULL), -ERANGE);
}

static void time_does_not_step_back_at_the_return(void **state)
{
	struct clocks last = at(10 * S, 20 * S), now = at(10 * S + 1, 20 * S + 1);

	assert_int_equal(clocks_hold_ns(&last, &now), 0);
	now = at(10 * S - 3 * MS, 20 * S - 5 * MS);
	assert_int_equal(clocks_hold_ns(&last, &now), 5 * MS);
	now = at(S, 20 * S);
	assert_int_equal(clocks_hold_ns(&last, &now), CLOCKS_HOLD_MAX_NS);
}

/* ---- with the kernel ---- */

/* does a child see clocks that are ahead of ours by at least this, and not by a minute more? */
static int child_sees(int64_t monotonic_ns, int64_t boottime_ns)
{
	struct clocks ours, its;
	int status = 0;
	pid_t pid;

	clocks_read(&ours);
	pid = fork();
	if (!pid) {
		clocks_read(&its);
		its.monotonic_ns -= ours.monotonic_ns + monotonic_ns;
		its.boottime_ns -= ours.boottime_ns + boottime_ns;
		_exit(its.monotonic_ns >= 0 && its.monotonic_ns < 60 * S && its.boottime_ns >= 0 &&
				      its.boottime_ns < 60 * S
			      ? 0
			      : 1);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return 2;
	return WEXITSTATUS(status);
}

/* in a process of its own: a time namespace is for life */
static int apply(void)
{
	const struct clocks first = at(5000 * S + 7, 6000 * S + 999999999),
			    second = at(-2000 * S - 1, 1000 * S);
	struct err e = { 0 };

	if (clocks_apply(&first, &e) < 0) {
		print_message("%s\n", e.text);
		return e.code == -EPERM || e.code == -ENOSYS ? 77 : 1;
	}
	if (child_sees(5000 * S, 6000 * S))
		return 2;
	/* one namespace in another: offsets are to what its parent sees */
	if (!fork()) {
		if (clocks_apply(&second, &e) < 0)
			_exit(3);
		_exit(child_sees(-2000 * S - 1, 1000 * S) ? 4 : 0);
	}

	int status = 0;

	if (wait(&status) < 0)
		return 5;
	return WEXITSTATUS(status);
}

static void children_live_by_the_clocks_of_home(void **state)
{
	int status = 0;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid)
		_exit(apply());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_upper_end_is_taken),
		cmocka_unit_test(never_behind_home),
		cmocka_unit_test(clocks_that_cannot_be_are_refused),
		cmocka_unit_test(time_does_not_step_back_at_the_return),
		cmocka_unit_test(children_live_by_the_clocks_of_home),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
