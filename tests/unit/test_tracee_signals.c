/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_tracee_signals.c - what comes from outside while a thread is ours, in real children */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child/child.h"
#include "test.h"
#include "tracee/maps.h"
#include "tracee/tracee.h"

static const struct err *last; /* for messages */

static uint64_t find_insn(pid_t pid)
{
	uint64_t insn;

	assert_int_equal(tracee_find_syscall(pid, 0, 0, &insn), 0);
	return insn;
}

static void inject_some(pid_t tid, int n)
{
	const uint64_t args[6] = { 0 }, insn = find_insn(tid);
	int64_t result;

	while (n-- > 0) {
		assert_int_equal(tracee_inject(tid, insn, SYS_gettid, args, &result), 0);
		assert_int_equal(result, tid);
	}
}

static int try_seize(pid_t pid, unsigned long options, int *stopped)
{
	static struct err e;
	pid_t tid;
	size_t n;
	int r = tracee_seize_all(pid, options, &tid, 1, &n, stopped, &e);

	last = &e;
	return r;
}

static void seize_one(pid_t pid, unsigned long options)
{
	int stopped;

	if (try_seize(pid, options, &stopped) < 0)
		fail_msg("%s", last->text);
	assert_int_equal(stopped, 0);
}

static void expect(pid_t tid, enum tracee_stop_kind kind, struct tracee_stop *s)
{
	assert_int_equal(tracee_wait(tid, true, s), 1);
	assert_int_equal(s->tid, tid);
	assert_int_equal(s->kind, kind);
}

static struct proc_stat stat_of(pid_t pid)
{
	struct proc_stat st;

	assert_int_equal(proc_stat_read(pid, &st, NULL), 0);
	return st;
}

static uint64_t bit(int signo)
{
	return 1ULL << (signo - 1);
}

static int catches_and_counts(struct child *c)
{
	child_catch(SIGUSR1, 0);
	child_catch(SIGUSR2, 0);
	child_catch(SIGCONT, 0);
	child_catch(SIGTRAP, 0);
	child_catch(SIGRTMIN, 0);
	child_say(c);
	return child_count(c);
}

static void start(struct child *c, int (*fn)(struct child *))
{
	child_start(c, fn);
	child_await(c);
}

/* ------------------------------------------------------------ while calls are injected */

static void sent_during_injection(void **state)
{
	int user = 0, thread = 0, queued = 0;
	struct child c;

	start(&c, catches_and_counts);
	seize_one(c.pid, 0);
	assert_int_equal(kill(c.pid, SIGUSR1), 0);
	inject_some(c.pid, 10);
	assert_int_equal(syscall(SYS_tgkill, c.pid, c.pid, SIGUSR2), 0);
	inject_some(c.pid, 10);
	for (int i = 0; i < 5; i++) {
		assert_int_equal(sigqueue(c.pid, SIGRTMIN, (union sigval){ .sival_int = i }), 0);
		inject_some(c.pid, 3);
	}
	assert_int_equal(atomic_load(&c.page->n_seen), 0);
	assert_int_equal(tracee_detach(c.pid, 0), 0);
	child_until_seen(&c, 7);
	child_runs_on(&c);
	assert_int_equal(atomic_load(&c.page->n_seen), 7);

	for (int i = 0; i < 7; i++) {
		const siginfo_t *s = &c.page->seen[i];

		assert_int_equal(s->si_pid, getpid());
		assert_int_equal(s->si_uid, getuid());
		if (s->si_signo == SIGRTMIN)
			assert_int_equal(s->si_value.sival_int, queued++);
		user += s->si_signo == SIGUSR1 && s->si_code == SI_USER;
		thread += s->si_signo == SIGUSR2 && s->si_code == SI_TKILL;
	}
	assert_int_equal(queued, 5);
	assert_int_equal(user, 1);
	assert_int_equal(thread, 1);
	assert_int_equal(child_end(&c), SIGKILL);
}

#define STREAM 3000

/* a process that sends a numbered stream without pause */
static pid_t start_stream(pid_t to)
{
	pid_t sender = fork();

	assert_true(sender >= 0);
	if (sender)
		return sender;
	for (int i = 0; i < STREAM; i++)
		while (sigqueue(to, SIGRTMIN, (union sigval){ .sival_int = i }) < 0)
			(void)sched_yield();
	_exit(0);
}

static void end_stream(struct child *c, pid_t sender)
{
	int status;

	assert_int_equal(waitpid(sender, &status, 0), sender);
	assert_int_equal(status, 0);
	child_runs_on(c);
	assert_int_equal(atomic_load(&c->page->n_seen), STREAM);
	for (int i = 0; i < STREAM; i++) {
		assert_int_equal(c->page->seen[i].si_code, SI_QUEUE);
		assert_int_equal(c->page->seen[i].si_pid, sender);
	}
}

static void a_stream_while_being_seized(void **state)
{
	struct child c;
	pid_t sender;

	start(&c, catches_and_counts);
	sender = start_stream(c.pid);
	while (atomic_load(&c.page->n_seen) < STREAM) {
		seize_one(c.pid, 0);
		inject_some(c.pid, 3);
		assert_int_equal(tracee_detach(c.pid, 0), 0);
	}
	end_stream(&c, sender);
	for (int i = 0; i < STREAM; i++) /* in order */
		assert_int_equal(c.page->seen[i].si_value.sival_int, i);
	assert_int_equal(child_end(&c), SIGKILL);
}

/* stopped by tracee_stop_thread(): none lost, none doubled; an order is not promised */
static void a_stream_while_being_stopped(void **state)
{
	static bool was_there[STREAM];
	struct tracee_stop s;
	struct child c;
	bool pending;
	pid_t sender;

	memset(was_there, 0, sizeof(was_there));
	start(&c, catches_and_counts);
	assert_int_equal(tracee_seize(c.pid, 0, NULL), 0);
	sender = start_stream(c.pid);
	while (atomic_load(&c.page->n_seen) < STREAM) {
		assert_int_equal(tracee_stop_thread(c.pid, &s), 0);
		assert_int_equal(s.kind, TRACEE_INTERRUPT);
		inject_some(c.pid, 1);
		pending = stat_of(c.pid).shared_pending & bit(SIGRTMIN);
		assert_int_equal(tracee_cont(c.pid, 0), 0);
		if (!pending)
			continue;
		/* let it have one, so that the next is in mid-delivery */
		expect(c.pid, TRACEE_SIGNAL, &s);
		assert_int_equal(tracee_cont(c.pid, s.signo), 0);
	}
	assert_int_equal(tracee_stop_thread(c.pid, &s), 0);
	assert_int_equal(tracee_detach(c.pid, 0), 0);
	end_stream(&c, sender);
	for (int i = 0; i < STREAM; i++) {
		int value = c.page->seen[i].si_value.sival_int;

		assert_true(value >= 0 && value < STREAM && !was_there[value]);
		was_there[value] = true;
	}
	assert_int_equal(child_end(&c), SIGKILL);
}

/* -------------------------------------------------------------------- put back */

static const struct put_row {
	bool to_thread;
	int code;
} put_rows[] = {
	{ false, SI_USER },
	{ false, SI_QUEUE },
	{ true, SI_TKILL },
};

static void send(pid_t pid, const struct put_row *r)
{
	if (r->to_thread)
		assert_int_equal(syscall(SYS_tgkill, pid, pid, SIGUSR1), 0);
	else if (r->code == SI_QUEUE)
		assert_int_equal(sigqueue(pid, SIGUSR1, (union sigval){ .sival_int = 7 }), 0);
	else
		assert_int_equal(kill(pid, SIGUSR1), 0);
}

/* into the very queue it came from */
static void put_back_where_it_was(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(put_rows); i++) {
		const struct put_row *r = &put_rows[i];
		struct tracee_stop s;
		struct proc_stat st;
		struct child c;

		start(&c, catches_and_counts);
		seize_one(c.pid, 0);
		assert_int_equal(tracee_cont(c.pid, 0), 0);
		send(c.pid, r);
		expect(c.pid, TRACEE_SIGNAL, &s);
		assert_int_equal(s.signo, SIGUSR1);
		assert_int_equal(s.info.si_code, r->code);
		assert_false(stat_of(c.pid).pending & bit(SIGUSR1));
		assert_false(stat_of(c.pid).shared_pending & bit(SIGUSR1));

		assert_int_equal(tracee_put_back(&s), 0);
		st = stat_of(c.pid);
		assert_int_equal(!!(st.pending & bit(SIGUSR1)), r->to_thread);
		assert_int_equal(!!(st.shared_pending & bit(SIGUSR1)), !r->to_thread);
		assert_false(st.blocked & bit(SIGUSR1));
		inject_some(c.pid, 3);

		assert_int_equal(tracee_cont(c.pid, 0), 0);
		expect(c.pid, TRACEE_SIGNAL, &s);
		assert_int_equal(tracee_detach(c.pid, s.signo), 0);
		child_until_seen(&c, 1);
		assert_int_equal(c.page->seen[0].si_code, r->code);
		assert_int_equal(c.page->seen[0].si_pid, getpid());
		if (r->code == SI_QUEUE)
			assert_int_equal(c.page->seen[0].si_value.sival_int, 7);
		assert_int_equal(child_end(&c), SIGKILL);
	}
}

/* ------------------------------------------------------------------ job control */

static void a_stopped_process_is_seized(void **state)
{
	struct child c;
	int stopped;

	start(&c, catches_and_counts);
	assert_int_equal(kill(c.pid, SIGSTOP), 0);
	child_until_state(c.pid, 'T');
	assert_int_equal(try_seize(c.pid, 0, &stopped), 0);
	assert_int_equal(stopped, SIGSTOP);
	inject_some(c.pid, 10);
	assert_int_equal(tracee_detach(c.pid, 0), 0);
	child_until_state(c.pid, 'T');
	assert_int_equal(kill(c.pid, SIGCONT), 0);
	child_until_seen(&c, 1);
	assert_int_equal(c.page->seen[0].si_signo, SIGCONT);
	child_runs_on(&c);
	assert_int_equal(child_end(&c), SIGKILL);
}

static void stopped_and_continued_while_traced(void **state)
{
	struct tracee_stop s;
	struct child c;

	start(&c, catches_and_counts);
	seize_one(c.pid, 0);
	assert_int_equal(tracee_cont(c.pid, 0), 0);
	assert_int_equal(kill(c.pid, SIGSTOP), 0);
	expect(c.pid, TRACEE_SIGNAL, &s);
	assert_int_equal(s.signo, SIGSTOP);
	assert_int_equal(tracee_cont(c.pid, SIGSTOP), 0);
	expect(c.pid, TRACEE_GROUP, &s);
	assert_int_equal(s.signo, SIGSTOP);
	assert_int_equal(tracee_listen(c.pid), 0);
	assert_int_equal(kill(c.pid, SIGCONT), 0);
	expect(c.pid, TRACEE_INTERRUPT, &s);
	assert_int_equal(tracee_cont(c.pid, 0), 0);
	expect(c.pid, TRACEE_SIGNAL, &s);
	assert_int_equal(s.signo, SIGCONT);
	assert_int_equal(tracee_cont(c.pid, SIGCONT), 0);
	child_until_seen(&c, 1);
	child_runs_on(&c);
	assert_int_equal(child_end(&c), SIGKILL);
}

/* SIGSTOP in the middle of our calls: they are made, the stop is reported afterwards */
static void stopped_during_injection(void **state)
{
	struct tracee_stop s;
	struct child c;

	start(&c, catches_and_counts);
	seize_one(c.pid, 0);
	assert_int_equal(kill(c.pid, SIGSTOP), 0);
	inject_some(c.pid, 10);
	assert_int_equal(tracee_cont(c.pid, 0), 0);
	expect(c.pid, TRACEE_GROUP, &s);
	assert_int_equal(s.signo, SIGSTOP);
	assert_int_equal(tracee_detach(c.pid, 0), 0);
	child_until_state(c.pid, 'T');

	/* and its end */
	assert_int_equal(try_seize(c.pid, 0, &s.signo), 0);
	assert_int_equal(s.signo, SIGSTOP);
	inject_some(c.pid, 3);
	assert_int_equal(kill(c.pid, SIGCONT), 0);
	inject_some(c.pid, 3);
	assert_int_equal(tracee_cont(c.pid, 0), 0);
	expect(c.pid, TRACEE_INTERRUPT, &s);
	assert_int_equal(tracee_detach(c.pid, 0), 0);
	child_until_seen(&c, 1);
	child_runs_on(&c);
	assert_int_equal(child_end(&c), SIGKILL);
}

/* stopped, then continued, both during injection: it runs at the end, and SIGCONT was seen */
static void stopped_and_continued_during_injection(void **state)
{
	struct child c;

	start(&c, catches_and_counts);
	seize_one(c.pid, 0);
	assert_int_equal(kill(c.pid, SIGSTOP), 0);
	inject_some(c.pid, 3);
	assert_int_equal(kill(c.pid, SIGCONT), 0);
	inject_some(c.pid, 3);
	assert_int_equal(tracee_detach(c.pid, 0), 0);
	child_until_seen(&c, 1);
	child_runs_on(&c);
	assert_int_equal(child_end(&c), SIGKILL);
}

/* ------------------------------------------------------------------- kinds of stops */

static int traps(struct child *c)
{
	child_catch(SIGTRAP, 0);
	child_say(c);
	child_hear(c);
	__asm__ volatile("int3");
	return atomic_load(&c->page->n_seen) == 2 ? 0 : 1;
}

static void a_trap_is_not_a_signal(void **state)
{
	struct user_regs_struct regs;
	struct tracee_stop s;
	struct child c;

	start(&c, traps);
	child_until_in_call(c.pid, SYS_read);
	seize_one(c.pid, 0);
	assert_int_equal(tracee_get_regs(c.pid, &regs), 0);
	assert_int_equal(tracee_rewind(&regs), TRACEE_RESTART);
	assert_int_equal(tracee_set_regs(c.pid, &regs), 0);
	assert_int_equal(tracee_cont(c.pid, 0), 0);

	assert_int_equal(kill(c.pid, SIGTRAP), 0);
	expect(c.pid, TRACEE_SIGNAL, &s);
	assert_int_equal(s.signo, SIGTRAP);
	assert_int_equal(s.info.si_code, SI_USER);
	assert_int_equal(tracee_cont(c.pid, SIGTRAP), 0);
	child_until_seen(&c, 1);

	child_tell(&c);
	expect(c.pid, TRACEE_TRAP, &s);
	assert_true(s.info.si_code > 0);
	assert_int_equal(tracee_cont(c.pid, SIGTRAP), 0);
	expect(c.pid, TRACEE_GONE, &s);
	assert_int_equal(s.value, 0);
}

static void *ends_at_once(void *arg)
{
	return NULL;
}

static int lives(struct child *c)
{
	pthread_t t;
	pid_t pid;

	child_say(c);
	child_hear(c);
	(void)pthread_create(&t, NULL, ends_at_once, NULL);
	(void)pthread_join(t, NULL);
	pid = fork();
	if (!pid)
		_exit(0);
	(void)waitpid(pid, NULL, 0);
	(void)execl("/bin/sh", "sh", "-c", "exit 42", (char *)NULL);
	return 1;
}

#define LIFE_EVENTS                                                                                \
	(PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACEEXEC |     \
	 PTRACE_O_TRACEEXIT)

static void the_events_of_a_life(void **state)
{
	int clones = 0, forks = 0, execs = 0, exits = 0, gone = 0;
	struct tracee_stop s = { 0 };
	struct child c;

	start(&c, lives);
	seize_one(c.pid, LIFE_EVENTS);
	assert_int_equal(tracee_cont(c.pid, 0), 0);
	child_tell(&c);
	while (s.kind != TRACEE_GONE || s.tid != c.pid) {
		assert_int_equal(tracee_wait(-1, true, &s), 1);
		clones += s.kind == TRACEE_CLONE;
		forks += s.kind == TRACEE_FORK;
		execs += s.kind == TRACEE_EXEC;
		exits += s.kind == TRACEE_EXITING;
		gone += s.kind == TRACEE_GONE;
		if (s.kind == TRACEE_CLONE || s.kind == TRACEE_FORK) {
			assert_int_equal(s.tid, c.pid);
			assert_true(s.value > 0);
		}
		if (s.kind != TRACEE_GONE)
			assert_int_equal(tracee_cont(s.tid, s.signo), 0);
	}
	assert_int_equal(s.value, 42 << 8);
	assert_int_equal(clones, 1);
	assert_int_equal(forks, 1);
	assert_int_equal(execs, 1);
	assert_int_equal(exits, 3);
	assert_int_equal(gone, 3);
	assert_int_equal(tracee_wait(-1, true, &s), -ECHILD);
}

static void killed_at_any_moment(void **state)
{
	const uint64_t args[6] = { 0 };
	struct user_regs_struct regs;
	struct tracee_stop s;
	struct child c;
	int64_t result;
	uint64_t insn, mask;

	start(&c, catches_and_counts);
	insn = find_insn(c.pid);
	seize_one(c.pid, 0);
	assert_int_equal(kill(c.pid, SIGKILL), 0);
	child_until_state(c.pid, 'Z');
	assert_int_equal(tracee_inject(c.pid, insn, SYS_getpid, args, &result), -ESRCH);
	assert_int_equal(tracee_get_regs(c.pid, &regs), -ESRCH);
	assert_int_equal(tracee_get_sigmask(c.pid, &mask), -ESRCH);
	assert_int_equal(tracee_cont(c.pid, 0), -ESRCH);
	assert_int_equal(tracee_stop_thread(c.pid, &s), -ESRCH);
	assert_int_equal(tracee_find_syscall(c.pid, 0, 0, &insn), -ESRCH);

	/* its end was not eaten by any of them */
	expect(c.pid, TRACEE_GONE, &s);
	assert_int_equal(s.value, SIGKILL);
	assert_int_equal(tracee_wait(c.pid, true, &s), -ECHILD);

	start(&c, catches_and_counts);
	seize_one(c.pid, 0);
	/* a call that never returns */
	assert_int_equal(tracee_inject(c.pid, insn, SYS_exit_group, args, &result), -ESRCH);
	expect(c.pid, TRACEE_GONE, &s);
	assert_int_equal(s.value, 0);
}

static void nothing_happened(int signo)
{
}

/* a call that does not end is given up when a handler of ours runs */
static void patience(void **state)
{
	const struct sigaction a = { .sa_handler = nothing_happened };
	const uint64_t args[6] = { 0 };
	struct user_regs_struct before, after;
	struct sigaction was;
	struct child c;
	int64_t result;
	pid_t nudge;
	int status;

	start(&c, catches_and_counts);
	seize_one(c.pid, 0);
	assert_int_equal(tracee_get_regs(c.pid, &before), 0);
	assert_int_equal(sigaction(SIGUSR1, &a, &was), 0);
	nudge = fork();
	assert_true(nudge >= 0);
	if (!nudge) {
		child_until_in_call(c.pid, SYS_pause);
		child_until_in_call(getppid(), SYS_waitid);
		_exit(kill(getppid(), SIGUSR1));
	}
	assert_int_equal(tracee_inject(c.pid, find_insn(c.pid), SYS_pause, args, &result), -EINTR);
	assert_int_equal(tracee_get_regs(c.pid, &after), 0);
	assert_memory_equal(&before, &after, sizeof(before));
	assert_int_equal(waitpid(nudge, &status, 0), nudge);
	assert_int_equal(status, 0);
	assert_int_equal(sigaction(SIGUSR1, &was, NULL), 0);
	inject_some(c.pid, 2);
	assert_int_equal(tracee_detach(c.pid, 0), 0);
	child_runs_on(&c);
	assert_int_equal(child_end(&c), SIGKILL);
}

static int shares_its_pipe(struct child *c)
{
	atomic_store(&c->page->wrong, c->ask); /* the number of its fd */
	return catches_and_counts(c);
}

/* an injected call that sleeps is begun again after a stop of job control, as any other */
static void job_control_while_a_call_sleeps(void **state)
{
	struct child c;
	int64_t result;
	pid_t nudge;
	int status;

	start(&c, shares_its_pipe);
	seize_one(c.pid, 0);
	const uint64_t args[6] = { (uint64_t)atomic_load(&c.page->wrong),
				   (uint64_t)(uintptr_t)c.page->seen, 1 };

	nudge = fork();
	assert_true(nudge >= 0);
	if (!nudge) {
		for (int i = 0; i < 5; i++) {
			child_until_in_call(c.pid, SYS_read);
			(void)kill(c.pid, SIGSTOP);
			(void)kill(c.pid, SIGCONT);
		}
		child_until_in_call(c.pid, SYS_read);
		child_tell(&c);
		_exit(0);
	}
	assert_int_equal(tracee_inject(c.pid, find_insn(c.pid), SYS_read, args, &result), 0);
	assert_int_equal(result, 1);
	assert_memory_equal(c.page->seen, "x", 1);
	assert_int_equal(waitpid(nudge, &status, 0), nudge);
	assert_int_equal(status, 0);
	assert_int_equal(tracee_detach(c.pid, 0), 0);
	child_runs_on(&c);
	assert_int_equal(child_end(&c), SIGKILL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sent_during_injection),
		cmocka_unit_test(a_stream_while_being_seized),
		cmocka_unit_test(a_stream_while_being_stopped),
		cmocka_unit_test(put_back_where_it_was),
		cmocka_unit_test(a_stopped_process_is_seized),
		cmocka_unit_test(stopped_and_continued_while_traced),
		cmocka_unit_test(stopped_during_injection),
		cmocka_unit_test(stopped_and_continued_during_injection),
		cmocka_unit_test(a_trap_is_not_a_signal),
		cmocka_unit_test(the_events_of_a_life),
		cmocka_unit_test(killed_at_any_moment),
		cmocka_unit_test(patience),
		cmocka_unit_test(job_control_while_a_call_sleeps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
