/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_stub_calls.c - a stub at work: answers that are waited for in place, and those that are not */
#include "migrate/stub.h"

#include <errno.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child/child.h"
#include "forward/call.h"
#include "forward/home/parasite.h"
#include "migrate/stub_door.h"
#include "test.h"

#define TRIES_MAX 100000 /* each waits for an event, or for a tick */

/* offsets of an answer: not in the buffer, or with a length that cannot be */
static const uint32_t wrong_places[] = {
	0,    PARASITE_CONTEXT_BYTES - 1, PARASITE_SLOT_BYTES, PARASITE_SLOT_BYTES - 3, UINT32_MAX,
	8192,
};

static struct loop *loop;
static struct stub stub;
static struct child child;
static unsigned int answers, deaths;
static struct call_answer last;

static void on_answer(void *owner, pid_t tid, const uint8_t *p, size_t n)
{
	(void)owner;
	assert_int_equal(tid, child.pid);
	assert_true(n >= sizeof(last));
	memcpy(&last, p, sizeof(last));
	answers++;
}

static void on_signal(void *owner, pid_t tid, const siginfo_t *info)
{
	(void)owner;
	fail_msg("signal %d for thread %d: nobody has sent any", info->si_signo, (int)tid);
}

static void on_cloned(void *owner, pid_t caller, int64_t tid)
{
	(void)owner;
	fail_msg("thread %lld of %d: nobody has asked for any", (long long)tid, (int)caller);
}

static void on_died(void *owner, int status)
{
	(void)owner;
	assert_true(WIFSIGNALED(status));
	stub.pid = 0;
	deaths++;
}

static void on_nothing(void *owner)
{
	(void)owner;
}

static const struct stub_ops ops = {
	.answer = on_answer,
	.signal = on_signal,
	.cloned = on_cloned,
	.died = on_died,
};

static int waits(struct child *c)
{
	child_say(c);
	(void)child_count(c);
	return 0;
}

static int start(bool share)
{
	struct err e = { 0 };
	int r;

	answers = deaths = 0;
	child_start(&child, waits);
	child_await(&child);
	assert_int_equal(loop_new(&loop, &e), 0);
	stub_init(&stub, loop, &ops, NULL);
	r = stub_seize(&stub, child.pid, &e);
	if (!r)
		r = stub_prepare(&stub, 0, NULL, &e);
	if (!r && !share)
		stub_unshare(&stub);
	if (!r)
		r = stub_enter(&stub, &e);
	if (!r)
		r = stub_start(&stub, &e);
	if (r < 0)
		fail_msg("%s", e.text);
	return 0;
}

static int set_up(void **state)
{
	return start(true);
}

static int set_up_apart(void **state)
{
	return start(false);
}

static int tear_down(void **state)
{
	if (stub.pid)
		stub_exit(&stub, SIGKILL);
	stub_done(&stub);
	loop_free(loop);
	(void)child_end(&child); /* it has been reaped */
	return 0;
}

static void ask(const struct call_request *q, bool now)
{
	assert_int_equal((now ? stub_call_now : stub_call)(&stub, child.pid, q, sizeof(*q)), 0);
}

static void until_answered(unsigned int n)
{
	for (int i = 0; i < TRIES_MAX && answers < n; i++)
		assert_int_equal(loop_turn(loop), 0);
	assert_int_equal(answers, n);
	assert_true(stub_is_idle(&stub));
}

/* what has come, and nothing is waited for */
static int turn_if_any(void)
{
	struct ev_ref ref;

	assert_int_equal(loop_add_timer(loop, 0, on_nothing, NULL, &ref), 0);
	return loop_turn(loop);
}

static void until_dead(void)
{
	for (int i = 0; i < TRIES_MAX && !deaths; i++) {
		stub_reap(&stub);
		assert_int_equal(turn_if_any(), 0);
	}
	assert_int_equal(deaths, 1);
}

/* it never waits for long, so on a machine that is busy some come from the loop */
static void an_answer_is_waited_for(void **state)
{
	const struct call_request q = { .nr = SYS_getppid };
	unsigned int in_place = 0;

	assert_non_null(stub.view);
	for (unsigned int i = 1; i <= 50; i++) {
		ask(&q, true);
		in_place += answers == i;
		until_answered(i);
		assert_int_equal(last.result, getpid());
	}
	assert_true(in_place > 0);
}

static void or_comes_from_the_loop(void **state)
{
	const struct call_request q = { .nr = SYS_getppid };

	for (unsigned int i = 1; i <= 50; i++) {
		ask(&q, false);
		assert_int_equal(answers, i - 1);
		until_answered(i);
		assert_int_equal(last.result, getpid());
	}
}

/* without memory in common, the sockets do it all */
static void or_through_the_socket(void **state)
{
	const struct call_request q = { .nr = SYS_getppid };

	assert_null(stub.view);
	for (unsigned int i = 1; i <= 50; i++) {
		ask(&q, i % 2);
		until_answered(i);
		assert_int_equal(last.result, getpid());
	}
}

/* bytes go in and come out: a large answer is copied whole */
static void with_all_its_bytes(void **state)
{
	struct {
		struct call_request q;
		struct call_fixup fix;
	} c = {
		.q = { .nr = SYS_getrandom,
		       .n_fixups = 1,
		       .args = { 0, 200000, 0 },
		       .out_len = 200000 },
		.fix = { .at = CALL_FIX_ARG | 0, .place = 0 },
	};

	for (unsigned int i = 1; i <= 4; i++) {
		assert_int_equal(
			(i % 2 ? stub_call_now : stub_call)(&stub, child.pid, &c, sizeof(c)), 0);
		until_answered(i);
		assert_int_equal(last.result, 200000);
		assert_int_equal(last.out_len, 200000);
	}
}

/* a call that blocks is answered by the loop, once, as if nobody had waited */
static void not_for_ever(void **state)
{
	const struct call_request q = { .nr = SYS_pause };

	ask(&q, true);
	assert_int_equal(answers, 0);
	assert_false(stub_is_idle(&stub));
	child_until_in_call(child.pid, SYS_pause);
	stub_cancel(&stub, child.pid);
	for (int i = 0; i < TRIES_MAX && !answers; i++) {
		stub_reap(&stub);
		assert_int_equal(turn_if_any(), 0);
	}
	assert_int_equal(answers, 1);
	assert_true(last.result < 0);
	assert_true(last.flags & CALL_CUT);
}

/* its memory is what the host likes: a door that cannot be ends the process, and nothing else */
static void not_of_the_broken(void **state)
{
	const struct call_request q = { .nr = SYS_pause };
	struct parasite_context *c = (struct parasite_context *)(void *)stub.view;

	ask(&q, false);
	child_until_in_call(child.pid, SYS_pause);
	c->door = 77;
	assert_int_equal(stub_door_await(stub.threads[0]), -EPROTO);
	for (size_t i = 0; i < ARRAY_LEN(wrong_places); i++) {
		c->door = PARASITE_DOOR_EMPTY;
		c->answer_at = wrong_places[i];
		memcpy(stub.view + 8192, &(uint32_t){ CALL_BYTES_MAX + 1 }, 4);
		assert_int_equal(stub_door_await(stub.threads[0]), -EPROTO);
	}
	assert_int_equal(answers, 0);
}

/* the end of the process is not taken for an answer */
static void not_for_the_dead(void **state)
{
	const struct call_request q = { .nr = SYS_pause };

	ask(&q, false);
	assert_int_equal(kill(child.pid, SIGKILL), 0);
	until_dead();
	assert_int_equal(answers, 0);
	assert_int_equal(stub_call_now(&stub, child.pid, &q, sizeof(q)), -EBUSY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_answer_is_waited_for, set_up, tear_down),
		cmocka_unit_test_setup_teardown(or_comes_from_the_loop, set_up, tear_down),
		cmocka_unit_test_setup_teardown(or_through_the_socket, set_up_apart, tear_down),
		cmocka_unit_test_setup_teardown(with_all_its_bytes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(with_all_its_bytes, set_up_apart, tear_down),
		cmocka_unit_test_setup_teardown(not_for_ever, set_up, tear_down),
		cmocka_unit_test_setup_teardown(not_of_the_broken, set_up, tear_down),
		cmocka_unit_test_setup_teardown(not_for_the_dead, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
