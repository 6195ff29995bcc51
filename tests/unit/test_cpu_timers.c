/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_cpu_timers.c - timers of CPU time are found, with their threads and times, and stopped and set */
#include "migrate/cpu_timers.h"

#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "child/child.h"
#include "test.h"
#include "tracee/tracee.h"

#define AREA_BYTES (1U << 20)
#define SECOND_NS  1000000000ULL
#define HOUR_NS	   (3600 * SECOND_NS)

static void texts_are_read(void **state)
{
	static const char text[] =
		"ID: 7\nsignal: 34/00000000000004d2\nnotify: signal/tid.71\nClockID: -2\n"
		"ID: 6\nsignal: 14/0000000000000006\nnotify: signal/pid.70\nClockID: 1\n"
		"ID: 5\nsignal: 14/00007fffffffffff\nnotify: signal/pid.70\nClockID: -6\n"
		"ID: 4\nsignal: 0/0\nnotify: none/pid.70\nClockID: -562\n"
		"ID: 3\nsignal: 10/0\nnotify: signal/pid.70\nClockID: -8002\n";
	const struct image_timer want[] = {
		{ 7, CPU_TIMERS_UNKNOWN, SIGEV_THREAD_ID, 34, 71, 1234, 0, 0 },
		{ 5, 0, SIGEV_SIGNAL, 14, 0, 0x7fffffffffff, 0, 0 },
		{ 4, 0, SIGEV_NONE, 0, 0, 0, 0, 0 },
	};
	struct image m = { .pid = 70 };

	/* -562: ~70 << 3 | 6, the leader's clock; -8002 is one of another process */
	assert_int_equal(cpu_timers_parse(text, &m), 0);
	assert_int_equal(m.n_timers, ARRAY_LEN(want));
	m.timers[2].tid = 0;
	assert_memory_equal(m.timers, want, sizeof(want));
	assert_int_equal(cpu_timers_parse("ID: 1\nnonsense\n", &m), -EPROTO);
	assert_int_equal(cpu_timers_parse("", &m), 0);
	assert_int_equal(m.n_timers, 0);
}

/* ---- a process with a thread, and timers of each ---- */

static void make(clockid_t clock, int signo, time_t s, time_t every_s)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = signo };
	const struct itimerspec v = { { every_s, 0 }, { s, 0 } };
	timer_t timer;

	if (timer_create(clock, &event, &timer) < 0 || timer_settime(timer, 0, &v, NULL) < 0)
		_exit(1);
}

static void *thread(void *arg)
{
	struct child *c = arg;

	make(CLOCK_THREAD_CPUTIME_ID, SIGUSR1, 3600, 0);
	make(CLOCK_THREAD_CPUTIME_ID, SIGUSR2, 0, 0);
	child_say(c);
	while (pause() < 0)
		;
	return NULL;
}

static int with_timers(struct child *c)
{
	pthread_t t;

	make(CLOCK_PROCESS_CPUTIME_ID, SIGVTALRM, 3600, 60);
	make(CLOCK_THREAD_CPUTIME_ID, SIGPROF, 3600, 0);
	make(CLOCK_MONOTONIC, SIGALRM, 3600, 0);
	if (pthread_create(&t, NULL, thread, c))
		return 1;
	while (pause() < 0)
		;
	return 0;
}

/* out of its call, so that others can be injected */
static void rewind_call(pid_t tid)
{
	struct user_regs_struct regs;

	assert_int_equal(tracee_get_regs(tid, &regs), 0);
	(void)tracee_rewind(&regs);
	assert_int_equal(tracee_set_regs(tid, &regs), 0);
}

static const struct image_timer *of_signal(const struct image *m, uint32_t signo)
{
	for (size_t i = 0; i < m->n_timers; i++)
		if (m->timers[i].signo == signo)
			return &m->timers[i];
	fail_msg("no timer with signal %u", signo);
	return NULL;
}

static void they_move(void **state)
{
	void *area = mmap(NULL, AREA_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pid_t tids[8];
	size_t n = 0;
	struct image_thread threads[2] = { 0 };
	struct image m = { .threads = threads, .n_threads = 2 }, again;
	struct err e = { 0 };
	struct child c;
	struct batch b;
	siginfo_t info = { .si_code = SI_TIMER };
	int stopped;

	assert_ptr_not_equal(area, MAP_FAILED);
	child_start(&c, with_timers);
	child_await(&c);
	assert_int_equal(tracee_seize_all(c.pid, 0, tids, ARRAY_LEN(tids), &n, &stopped, &e), 0);
	assert_int_equal(n, 2);
	m.pid = (uint32_t)c.pid;
	for (size_t i = 0; i < n; i++) {
		threads[i].tid = (uint32_t)tids[i];
		rewind_call(tids[i]);
	}
	batch_init(&b, c.pid, (uint64_t)area, AREA_BYTES);
	assert_int_equal(cpu_timers_capture(&b, &m, &e), 0);
	if (!m.n_timers) {
		assert_int_equal(access("/proc/self/timers", R_OK), -1);
		skip();
	}
	assert_int_equal(m.n_timers, 4);
	assert_int_equal(of_signal(&m, SIGVTALRM)->tid, 0);
	assert_int_equal(of_signal(&m, SIGVTALRM)->interval_ns, 60 * SECOND_NS);
	assert_int_equal(of_signal(&m, SIGPROF)->tid, c.pid);
	assert_int_equal(of_signal(&m, SIGUSR1)->tid, tids[0] == c.pid ? tids[1] : tids[0]);
	assert_int_equal(of_signal(&m, SIGUSR2)->tid, of_signal(&m, SIGUSR1)->tid);
	assert_int_equal(of_signal(&m, SIGUSR2)->left_ns, 0);
	assert_in_range(of_signal(&m, SIGUSR1)->left_ns, HOUR_NS - 60 * SECOND_NS, HOUR_NS);

	/* only what goes off once can have gone off too early */
	info.si_timerid = (int)of_signal(&m, SIGUSR1)->id;
	assert_true(cpu_timers_is_late(&m, &info));
	info.si_timerid = (int)of_signal(&m, SIGVTALRM)->id;
	assert_false(cpu_timers_is_late(&m, &info));

	again = m;
	assert_int_equal(cpu_timers_set(&b, &m, true, &e), 0);
	assert_int_equal(cpu_timers_capture(&b, &again, &e), 0);
	for (size_t i = 0; i < again.n_timers; i++)
		assert_int_equal(again.timers[i].left_ns, 0);
	m.timers[0].left_ns = HOUR_NS / 2;
	assert_int_equal(cpu_timers_set(&b, &m, false, &e), 0);
	assert_int_equal(cpu_timers_capture(&b, &again, &e), 0);
	assert_in_range(again.timers[0].left_ns, HOUR_NS / 2 - 60 * SECOND_NS, HOUR_NS / 2);
	batch_done(&b);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(tracee_detach(tids[i], 0), 0);
	(void)child_end(&c);
	assert_int_equal(munmap(area, AREA_BYTES), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts_are_read),
		cmocka_unit_test(they_move),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
