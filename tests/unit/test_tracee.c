/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_tracee.c - stops, signals and injected calls, in real children */
#include "tracee/tracee.h"

#include <errno.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child/child.h"
#include "test.h"
#include "tracee/maps.h"
#include "tracee/pin.h"

#define TIDS_MAX 256

static uint64_t find_insn(pid_t pid)
{
	uint64_t insn;

	assert_int_equal(tracee_find_syscall(pid, 0, 0, &insn), 0);
	return insn;
}

static int64_t inject(pid_t tid, uint64_t insn, long nr)
{
	const uint64_t args[6] = { 0 };
	int64_t result = -1;

	assert_int_equal(tracee_inject(tid, insn, nr, args, &result), 0);
	return result;
}

/* out of the call that it is in, if any */
static void rewind_call(pid_t tid)
{
	struct user_regs_struct regs;

	assert_int_equal(tracee_get_regs(tid, &regs), 0);
	if (tracee_rewind(&regs) == TRACEE_RESTART_BLOCK)
		tracee_rewind_block(&regs);
	assert_int_equal(tracee_set_regs(tid, &regs), 0);
}

static void seize_one(pid_t pid, unsigned long options)
{
	pid_t tid;
	size_t n;
	int stopped;
	struct err e;

	if (tracee_seize_all(pid, options, &tid, 1, &n, &stopped, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(n, 1);
	assert_int_equal(tid, pid);
	assert_int_equal(stopped, 0);
}

static pid_t tracer_of(pid_t pid)
{
	struct proc_stat st;

	assert_int_equal(proc_stat_read(pid, &st, NULL), 0);
	return st.tracer;
}

/* ------------------------------------------------------------------- threads */

static void *short_lived(void *arg)
{
	atomic_fetch_add(&((struct child *)arg)->page->counter, 1);
	return NULL;
}

/* makes threads without end; each of them lives a moment */
static void *maker(void *arg)
{
	for (;;) {
		pthread_t t;

		if (pthread_create(&t, NULL, short_lived, arg) == 0)
			(void)pthread_join(t, NULL);
	}
	return NULL;
}

static int makes_threads(struct child *c)
{
	pthread_t t;

	for (int i = 0; i < 3; i++)
		if (pthread_create(&t, NULL, maker, c) != 0)
			return 1;
	(void)maker(c);
	return 0;
}

static void *stays(void *unused)
{
	for (;;)
		(void)pause();
	return unused;
}

static int has_four_threads(struct child *c)
{
	pthread_t t;

	for (int i = 0; i < 3; i++)
		if (pthread_create(&t, NULL, stays, NULL) != 0)
			return 1;
	for (;;)
		atomic_fetch_add(&c->page->counter, 1);
}

static void all_threads_are_caught(void **state)
{
	struct child c;

	child_start(&c, makes_threads);
	for (int turn = 0; turn < 30; turn++) {
		pid_t tids[TIDS_MAX];
		struct proc_stat st;
		int stopped = 1;
		size_t n;
		long was;
		struct err e;

		child_runs_on(&c);
		if (tracee_seize_all(c.pid, PTRACE_O_TRACECLONE, tids, TIDS_MAX, &n, &stopped, &e) <
		    0)
			fail_msg("%s", e.text);
		assert_int_equal(tids[0], c.pid);
		assert_int_equal(stopped, 0);

		/* these are all, and all of them stand still */
		assert_int_equal(proc_stat_read(c.pid, &st, NULL), 0);
		assert_int_equal(st.n_threads, n);
		for (size_t i = 0; i < n; i++) {
			assert_int_equal(proc_stat_read(tids[i], &st, NULL), 0);
			assert_int_equal(st.state, 't');
			assert_int_equal(st.tracer, getpid());
		}
		was = atomic_load(&c.page->counter);
		for (size_t i = 0; i < n; i++) {
			rewind_call(tids[i]);
			assert_int_equal(inject(tids[i], find_insn(c.pid), SYS_gettid), tids[i]);
		}
		assert_int_equal(atomic_load(&c.page->counter), was);
		for (size_t i = 0; i < n; i++)
			assert_int_equal(tracee_detach(tids[i], 0), 0);
	}
	child_runs_on(&c);
	assert_int_equal(tracer_of(c.pid), 0);
	(void)child_end(&c);
}

static void too_many_threads_are_let_go(void **state)
{
	pid_t tids[2];
	struct child c;
	int stopped;
	size_t n;

	child_start(&c, has_four_threads);
	child_runs_on(&c);
	assert_int_equal(tracee_seize_all(c.pid, 0, tids, 2, &n, &stopped, NULL), -E2BIG);
	assert_int_equal(tracer_of(c.pid), 0);
	child_runs_on(&c);
	(void)child_end(&c);
}

static void who_is_traced_already(void **state)
{
	int stopped, status;
	struct child c;
	pid_t tid, other;
	size_t n;
	struct err e;

	child_start(&c, child_count);
	assert_int_equal(tracee_seize(c.pid, 0, NULL), 0);
	other = fork();
	assert_true(other >= 0);
	if (!other)
		_exit(tracee_seize_all(c.pid, 0, &tid, 1, &n, &stopped, &e) == -EBUSY ? 0 : 1);
	assert_int_equal(waitpid(other, &status, 0), other);
	assert_int_equal(status, 0);
	(void)child_end(&c);
	assert_int_equal(tracee_seize_all(c.pid, 0, &tid, 1, &n, &stopped, &e), -ESRCH);
}

static void *execs(void *arg)
{
	struct child *c = arg;

	atomic_fetch_add(&c->page->counter, 1);
	(void)dup2(c->ask, STDIN_FILENO);
	(void)execl("/bin/cat", "cat", (char *)NULL);
	return NULL;
}

static int becomes_cat(struct child *c)
{
	pthread_t t;

	for (int i = 0; i < 2; i++)
		(void)pthread_create(&t, NULL, maker, c);
	(void)pthread_create(&t, NULL, execs, c);
	for (;;)
		(void)pause();
	return 0;
}

/* the first that goes on may be the one in exec: it ends the rest, and waits until they are reaped */
static bool let_go(const pid_t *tids, size_t n)
{
	bool ok = true;

	for (size_t i = 0; i < n; i++) {
		int r = tracee_detach(tids[i], 0);

		ok &= r == 0 || (i > 0 && r == -ESRCH && waitpid(tids[i], NULL, __WALL) == tids[i]);
	}
	return ok;
}

/* A tracer that is not its parent, as everywhere but in tests: wait(2) tells it when it is gone */
static int tracer(pid_t pid)
{
	pid_t tids[TIDS_MAX];
	int stopped, r;
	size_t n;
	struct err e;

	r = tracee_seize_all(pid, 0, tids, TIDS_MAX, &n, &stopped, &e);
	return r == 0 ? !let_go(tids, n) : r != -ESRCH;
}

/* exec takes threads away under our hands: seized or not, nothing hangs, nothing stays traced */
static void exec_while_being_seized(void **state)
{
	for (int turn = 0; turn < 40; turn++) {
		struct child c;
		int status;
		pid_t other;

		child_start(&c, becomes_cat);
		while (!atomic_load(&c.page->counter))
			(void)sched_yield();
		for (int i = 0; i < turn * 20; i++)
			(void)sched_yield();
		other = fork();
		assert_true(other >= 0);
		if (!other) {
			int wrong = tracer(c.pid);

			child_until_in_call(c.pid, SYS_read); /* cat, after all */
			_exit(wrong || tracer_of(c.pid) ? 1 : 0);
		}
		assert_int_equal(waitpid(other, &status, 0), other);
		assert_int_equal(status, 0);
		assert_int_equal(child_end(&c), SIGKILL);
	}
}

/* --------------------------------------------------------------- blocked calls */

static int in_read(struct child *c)
{
	char x = 0;

	return read(c->ask, &x, 1) == 1 && x == 'x' ? 0 : 1;
}

static int in_futex(struct child *c)
{
	return syscall(SYS_futex, &c->page->flag, FUTEX_WAIT, 0, NULL, NULL, 0) == 0 ? 0 : 1;
}

static int in_ppoll(struct child *c)
{
	struct pollfd p = { .fd = c->ask, .events = POLLIN };
	sigset_t all;

	(void)sigfillset(&all);
	return ppoll(&p, 1, NULL, &all) == 1 ? 0 : 1;
}

static int in_nanosleep(struct child *c)
{
	const struct timespec want = { .tv_nsec = 300000000 };
	struct timespec from, to;
	int r;

	(void)clock_gettime(CLOCK_MONOTONIC, &from);
	r = nanosleep(&want, NULL);
	(void)clock_gettime(CLOCK_MONOTONIC, &to);
	if (r < 0)
		return 1;
	return (to.tv_sec - from.tv_sec) * 1000000000 + to.tv_nsec - from.tv_nsec < want.tv_nsec;
}

static void tell(struct child *c)
{
	child_tell(c);
}

static void wake(struct child *c)
{
	while (syscall(SYS_futex, &c->page->flag, FUTEX_WAKE, 1, NULL, NULL, 0) != 1)
		(void)sched_yield();
}

static void nothing(struct child *c)
{
}

static const struct blocked_row {
	int (*fn)(struct child *);
	long nr;
	enum tracee_restart how;
	void (*end)(struct child *);
} blocked_rows[] = {
	{ in_read, SYS_read, TRACEE_RESTART, tell },
	{ in_futex, SYS_futex, TRACEE_RESTART, wake },
	{ in_ppoll, SYS_ppoll, TRACEE_RESTART, tell },
	{ in_nanosleep, SYS_clock_nanosleep, TRACEE_RESTART_BLOCK, nothing },
};

static void blocked_calls_go_on(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(blocked_rows); i++) {
		const struct blocked_row *b = &blocked_rows[i];
		const uint64_t args[6] = { 0 };
		struct user_regs_struct regs;
		struct child c;
		int64_t result;
		uint64_t insn;

		child_start(&c, b->fn);
		child_until_in_call(c.pid, b->nr);
		seize_one(c.pid, 0);
		insn = find_insn(c.pid);
		assert_int_equal(tracee_inject(c.pid, insn, SYS_getpid, args, &result), -EINVAL);

		assert_int_equal(tracee_get_regs(c.pid, &regs), 0);
		assert_int_equal(tracee_rewind(&regs), b->how);
		if (b->how == TRACEE_RESTART_BLOCK)
			tracee_rewind_block(&regs);
		assert_int_equal(tracee_set_regs(c.pid, &regs), 0);
		for (int n = 0; n < 20; n++)
			assert_int_equal(inject(c.pid, insn, SYS_getpid), c.pid);
		assert_int_equal(tracee_detach(c.pid, 0), 0);

		b->end(&c);
		assert_int_equal(child_exit_status(&c), 0);
	}
}

/* -------------------------------------------------------------------- computing */

/* its value depends on each register the compiler uses, at each step */
static uint64_t chain(long steps)
{
	uint64_t a = 1, b = 2, d = 3, f = 4;

	for (long i = 0; i < steps; i++) {
		a = a * 6364136223846793005ULL + b;
		b = b ^ (d >> 7) ^ a;
		d = (d << 9 | d >> 55) + f;
		f = f * 31 + (a ^ (uint64_t)i);
	}
	return a ^ b ^ d ^ f;
}

#define CHAIN_STEPS 6000000
#define CALLS_LEAST 20 /* injected while it computes */

static int computes(struct child *c)
{
	volatile long steps = CHAIN_STEPS; /* to be computed each time */
	uint64_t right = chain(steps);
	long wrong = 0;

	atomic_store(&c->page->counter, 1);
	while (atomic_load(&c->page->counter) == 1)
		wrong += chain(steps) != right;
	atomic_store(&c->page->flag, wrong + 1);
	child_hear(c);
	return 0;
}

static void it_computes_on_rightly(void **state)
{
	struct child c;
	uint64_t insn;
	int n = 0;

	child_start(&c, computes);
	while (!atomic_load(&c.page->counter)) /* it is raised once only */
		(void)sched_yield();
	insn = find_insn(c.pid);
	while (n < CALLS_LEAST) {
		struct user_regs_struct before, after;

		seize_one(c.pid, 0);
		assert_int_equal(tracee_get_regs(c.pid, &before), 0);
		if (tracee_rewind(&before) == TRACEE_NO_RESTART) {
			assert_int_equal(inject(c.pid, insn, SYS_getpid), c.pid);
			assert_int_equal(inject(c.pid, insn, SYS_gettid), c.pid);
			assert_int_equal(tracee_get_regs(c.pid, &after), 0);
			assert_int_equal(before.rip, after.rip);
			n++;
		}
		assert_int_equal(tracee_detach(c.pid, 0), 0);
		assert_int_equal(tracer_of(c.pid), 0);
	}
	atomic_store(&c.page->counter, 2);
	while (!atomic_load(&c.page->flag))
		(void)sched_yield();
	assert_int_equal(atomic_load(&c.page->flag), 1);
	child_tell(&c);
	assert_int_equal(child_exit_status(&c), 0);
}

static void extended_state_is_kept(void **state)
{
	uint8_t one[16384], two[16384];
	size_t n_one = sizeof(one), n_two = sizeof(two);
	struct child c;

	child_start(&c, child_count);
	child_runs_on(&c);
	seize_one(c.pid, 0);
	assert_int_equal(tracee_get_xstate(c.pid, one, &n_one), 0);
	assert_true(n_one >= 576);
	assert_int_equal(inject(c.pid, find_insn(c.pid), SYS_getpid), c.pid);
	assert_int_equal(tracee_set_xstate(c.pid, one, n_one), 0);
	assert_int_equal(tracee_get_xstate(c.pid, two, &n_two), 0);
	assert_int_equal(n_one, n_two);
	assert_memory_equal(one, two, n_one);
	assert_int_equal(tracee_detach(c.pid, 0), 0);
	child_runs_on(&c);
	(void)child_end(&c);
}

/* of a CPU with nothing but SSE, and of one with more than there is here */
static void extended_state_of_another_cpu(void **state)
{
	uint8_t own[16384], other[16384] = { 0 };
	size_t n = sizeof(own);
	struct child c;

	child_start(&c, child_count);
	child_runs_on(&c);
	seize_one(c.pid, 0);
	assert_int_equal(tracee_get_xstate(c.pid, own, &n), 0);
	memcpy(other, own, 576);
	other[512] = 3; /* x87 and SSE are in use */
	memset(other + 513, 0, 63);
	other[160] = 0x5a; /* xmm0 */
	assert_int_equal(tracee_set_xstate(c.pid, other, 576), 0);
	assert_int_equal(tracee_get_xstate(c.pid, own, &n), 0);
	assert_int_equal(own[160], 0x5a);
	assert_int_equal(tracee_set_xstate(c.pid, other, sizeof(other)), 0);
	other[512 + 7] = 0x40; /* a component that no CPU has is in use */
	assert_true(tracee_set_xstate(c.pid, other, sizeof(other)) < 0);
	assert_true(tracee_set_xstate(c.pid, other, 575) < 0);
	assert_int_equal(child_end(&c), SIGKILL);
}

/* ------------------------------------------------------------------------ rseq */

struct section {
	uint32_t version, flags;
	uint64_t start, len, abort;
} __attribute__((aligned(32)));

extern const ptrdiff_t __rseq_offset __attribute__((weak));
extern const unsigned int __rseq_size __attribute__((weak));

/*
 * Enters a restartable sequence, says so by flag = 1, and stays in it until flag is 2; that it ran
 * to its end is counter = 1, that it was aborted counter = 2
 */
static int in_section(struct child *c)
{
	static struct section section;
	uint64_t *cs = (uint64_t *)((char *)__builtin_thread_pointer() + __rseq_offset + 8);
	long *flag = (long *)&c->page->flag, result;

	__asm__ volatile("lea 1f(%%rip), %%rax\n\t"
			 "mov %%rax, 8(%[section])\n\t"
			 "lea 2f(%%rip), %%rcx\n\t"
			 "sub %%rax, %%rcx\n\t"
			 "mov %%rcx, 16(%[section])\n\t"
			 "lea 3f(%%rip), %%rax\n\t"
			 "mov %%rax, 24(%[section])\n\t"
			 "mov %[section], (%[cs])\n"
			 "1:\n\t"
			 "movq $1, (%[flag])\n"
			 "5:\n\t"
			 "cmpq $2, (%[flag])\n\t"
			 "jne 5b\n"
			 "2:\n\t"
			 "mov $1, %[result]\n\t"
			 "jmp 4f\n\t"
			 ".byte 0x0f, 0xb9, 0x3d\n\t" /* ud1, then the signature of glibc */
			 ".long 0x53053053\n"
			 "3:\n\t"
			 "mov $2, %[result]\n"
			 "4:\n\t"
			 : [result] "=&r"(result)
			 : [section] "r"(&section), [cs] "r"(cs), [flag] "r"(flag)
			 : "rax", "rcx", "memory", "cc");
	atomic_store(&c->page->counter, result);
	child_hear(c);
	return 0;
}

/* a call injected in the middle must not make the program believe that it was undisturbed */
static void a_restartable_sequence_is_aborted(void **state)
{
	struct tracee_rseq q;
	struct child c;

	if (!&__rseq_size || !__rseq_size)
		skip();
	child_start(&c, in_section);
	/* it may be aborted by a preemption at any time, then there is nothing to see */
	while (!atomic_load(&c.page->flag) && !atomic_load(&c.page->counter))
		(void)sched_yield();
	seize_one(c.pid, 0);
	assert_int_equal(tracee_get_rseq(c.pid, &q), 0);
	assert_true(q.address != 0);
	assert_int_equal(q.signature, 0x53053053);
	if (!atomic_load(&c.page->counter)) {
		assert_int_equal(inject(c.pid, find_insn(c.pid), SYS_getpid), c.pid);
		atomic_store(&c.page->flag, 2); /* now the end of the sequence can be reached */
	}
	assert_int_equal(tracee_detach(c.pid, 0), 0);
	while (!atomic_load(&c.page->counter))
		(void)sched_yield();
	assert_int_equal(atomic_load(&c.page->counter), 2);
	child_tell(&c);
	assert_int_equal(child_exit_status(&c), 0);
}

/* ------------------------------------------------------------------- all of them */

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_threads_are_caught),
		cmocka_unit_test(too_many_threads_are_let_go),
		cmocka_unit_test(who_is_traced_already),
		cmocka_unit_test(exec_while_being_seized),
		cmocka_unit_test(blocked_calls_go_on),
		cmocka_unit_test(it_computes_on_rightly),
		cmocka_unit_test(extended_state_is_kept),
		cmocka_unit_test(extended_state_of_another_cpu),
		cmocka_unit_test(a_restartable_sequence_is_aborted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
