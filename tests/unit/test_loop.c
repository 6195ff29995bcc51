/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_loop.c - fds, timers, children and stale references */
#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"

#include "loop/loop.h"

struct seen {
	struct loop *l;
	int pipe_a[2], pipe_b[2];
	struct ev_ref a, b;
	int calls, order[4], n_order, status;
};

/* both pipes are readable in one turn; whoever comes first removes the other */
static void on_a(void *owner, uint32_t events)
{
	struct seen *s = owner;

	s->calls++;
	loop_remove(s->l, &s->b);
	loop_remove(s->l, &s->a);
	loop_stop(s->l, 0);
}

static void stale_events_are_dropped(void **state)
{
	struct seen s = { 0 };

	assert_int_equal(loop_new(&s.l, NULL), 0);
	assert_int_equal(pipe(s.pipe_a), 0);
	assert_int_equal(pipe(s.pipe_b), 0);
	assert_int_equal(loop_add_fd(s.l, s.pipe_a[0], EPOLLIN, on_a, &s, &s.a), 0);
	assert_int_equal(loop_add_fd(s.l, s.pipe_b[0], EPOLLIN, on_a, &s, &s.b), 0);
	assert_int_equal(write(s.pipe_a[1], "x", 1), 1);
	assert_int_equal(write(s.pipe_b[1], "x", 1), 1);
	assert_int_equal(loop_run(s.l), 0);
	assert_int_equal(s.calls, 1);
	loop_free(s.l);
	for (int i = 0; i < 2; i++) {
		close(s.pipe_a[i]);
		close(s.pipe_b[i]);
	}
}

static void first(void *owner)
{
	struct seen *s = owner;

	s->order[s->n_order++] = 1;
}

static void second(void *owner)
{
	struct seen *s = owner;

	s->order[s->n_order++] = 2;
	loop_stop(s->l, 7);
}

static void timers_in_order(void **state)
{
	struct seen s = { 0 };
	struct ev_ref never;

	assert_int_equal(loop_new(&s.l, NULL), 0);
	assert_int_equal(loop_add_timer(s.l, loop_now(s.l) + 20, second, &s, &s.b), 0);
	assert_int_equal(loop_add_timer(s.l, loop_now(s.l) + 5, first, &s, &s.a), 0);
	assert_int_equal(loop_add_timer(s.l, loop_now(s.l) + 1, second, &s, &never), 0);
	loop_remove(s.l, &never);
	assert_int_equal(loop_run(s.l), 7);
	assert_int_equal(s.n_order, 2);
	assert_int_equal(s.order[0], 1);
	loop_free(s.l);
}

static void on_child(void *owner, pid_t pid, int status)
{
	struct seen *s = owner;

	s->status = status;
	loop_stop(s->l, 0);
}

static void children_are_reaped(void **state)
{
	struct seen s = { 0 };
	pid_t pid;

	assert_int_equal(loop_new(&s.l, NULL), 0);
	pid = fork();
	if (!pid)
		_exit(42);
	assert_int_equal(loop_add_child(s.l, pid, on_child, &s, &s.a), 0);
	assert_int_equal(loop_run(s.l), 0);
	assert_int_equal(WEXITSTATUS(s.status), 42);
	assert_int_equal(waitpid(pid, NULL, WNOHANG), -1);
	loop_free(s.l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stale_events_are_dropped),
		cmocka_unit_test(timers_in_order),
		cmocka_unit_test(children_are_reaped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
