/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_batch.c - many injected calls at once, in real children */
#include "tracee/batch.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child/child.h"
#include "test.h"
#include "tracee/maps.h"

#define AREA_BYTES (64 * 1024)

static int counts(struct child *c)
{
	child_catch(SIGUSR1, 0);
	child_catch(SIGTRAP, 0);
	child_catch(SIGRTMIN, 0);
	child_say(c);
	return child_count(c);
}

static int counts_and_ignores_traps(struct child *c)
{
	(void)signal(SIGTRAP, SIG_IGN);
	child_say(c);
	return child_count(c);
}

/* as the kernel sends it for a breakpoint in the program; it is still pending when the thread stops */
static int has_trapped(struct child *c)
{
	siginfo_t info = { .si_signo = SIGTRAP, .si_code = SI_KERNEL };
	sigset_t trap;

	sigemptyset(&trap);
	sigaddset(&trap, SIGTRAP);
	if (sigprocmask(SIG_BLOCK, &trap, NULL) < 0 ||
	    syscall(SYS_rt_tgsigqueueinfo, getpid(), gettid(), SIGTRAP, &info) < 0)
		return 1;
	child_say(c);
	(void)child_count(c);
	return sigwaitinfo(&trap, &info) == SIGTRAP && info.si_code == SI_KERNEL ? 0 : 2;
}

/* a stopped child with an area */
struct patient {
	struct child c;
	struct batch b;
	uint64_t insn, area;
};

static int64_t inject(struct patient *p, long nr, uint64_t a0, uint64_t a1, uint64_t a2,
		      uint64_t a3, uint64_t a4)
{
	const uint64_t args[6] = { a0, a1, a2, a3, a4, 0 };
	int64_t result = -1;

	assert_int_equal(tracee_inject(p->c.pid, p->insn, nr, args, &result), 0);
	return result;
}

static void stop(struct patient *p)
{
	struct tracee_stop s;

	assert_int_equal(tracee_stop_thread(p->c.pid, &s), 0);
	assert_int_equal(s.kind, TRACEE_INTERRUPT);
}

static void begin(struct patient *p, int (*fn)(struct child *))
{
	int64_t area;

	child_start(&p->c, fn);
	child_await(&p->c);
	assert_int_equal(tracee_seize(p->c.pid, 0, NULL), 0);
	stop(p);
	assert_int_equal(tracee_find_syscall(p->c.pid, 0, 0, &p->insn), 0);
	area = inject(p, SYS_mmap, 0, AREA_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC,
		      MAP_PRIVATE | MAP_ANONYMOUS, (uint64_t)-1);
	assert_true(area > 0);
	p->area = (uint64_t)area;
	batch_init(&p->b, p->c.pid, p->area, AREA_BYTES);
}

/* unmap the area, let go: the child must count on as if nothing was, and see so many signals */
static void let_go(struct patient *p, int n_signals)
{
	struct proc_stat st;

	assert_int_equal(inject(p, SYS_munmap, p->area, AREA_BYTES, 0, 0, 0), 0);
	assert_int_equal(atomic_load(&p->c.page->n_seen), 0);
	batch_done(&p->b);
	assert_int_equal(tracee_detach(p->c.pid, 0), 0);
	child_until_seen(&p->c, n_signals);
	child_runs_on(&p->c);
	assert_int_equal(atomic_load(&p->c.page->n_seen), n_signals);
	assert_int_equal(proc_stat_read(p->c.pid, &st, NULL), 0);
	assert_int_equal(st.tracer, 0);
}

static void end(struct patient *p)
{
	let_go(p, 0);
	assert_int_equal(child_end(&p->c), SIGKILL);
}

static void two_hundred_calls(void **state)
{
	struct user_regs_struct before, after;
	struct patient p;
	uint64_t ids, one;
	uint32_t id[3];
	struct err e;

	begin(&p, counts);
	assert_int_equal(batch_data(&p.b, NULL, sizeof(id), &ids), 0);
	assert_int_equal(batch_data(&p.b, "twelve bytes", 12, &one), 0);
	for (int i = 0; i < 200; i += 4) {
		assert_int_equal(batch_add(&p.b, SYS_getpid, 0, 0, 0, 0, 0, 0), i);
		assert_int_equal(batch_add(&p.b, SYS_close, (uint64_t)-1, 0, 0, 0, 0, 0), i + 1);
		assert_int_equal(batch_add(&p.b, SYS_getresuid, ids, ids + 4, ids + 8, 0, 0, 0),
				 i + 2);
		assert_int_equal(batch_add(&p.b, SYS_prctl, 0x4321, 1, 2, 3, 4, 5), i + 3);
	}
	assert_int_equal(tracee_get_regs(p.c.pid, &before), 0);
	assert_int_equal(batch_run(&p.b, p.c.pid, &e), 0);
	assert_int_equal(tracee_get_regs(p.c.pid, &after), 0);
	assert_memory_equal(&before, &after, sizeof(before));

	for (int i = 0; i < 200; i += 4) {
		assert_int_equal(batch_result(&p.b, i), p.c.pid);
		assert_int_equal(batch_result(&p.b, i + 1), -EBADF);
		assert_int_equal(batch_result(&p.b, i + 2), 0);
		assert_int_equal(batch_result(&p.b, i + 3), -EINVAL);
	}
	assert_int_equal(batch_first_failure(&p.b), 1);
	assert_int_equal(batch_read(&p.b, ids, id, sizeof(id)), 0);
	assert_int_equal(id[0], getuid());
	assert_int_equal(id[2], getuid());
	assert_int_equal(batch_read(&p.b, ids + 100, id, sizeof(id)), -EFAULT);
	assert_int_equal(batch_read(&p.b, ids - 1, id, sizeof(id)), -EFAULT);

	/* and once more, another list */
	batch_clear(&p.b);
	assert_int_equal(batch_add(&p.b, SYS_getppid, 0, 0, 0, 0, 0, 0), 0);
	assert_int_equal(batch_run(&p.b, p.c.pid, &e), 0);
	assert_int_equal(batch_result(&p.b, 0), getpid());
	assert_int_equal(batch_first_failure(&p.b), -1);
	end(&p);
}

static void the_area_is_the_limit(void **state)
{
	struct patient p;
	uint64_t at;
	int n = 0, r;
	struct err e;

	begin(&p, counts);
	assert_int_equal(batch_data(&p.b, NULL, AREA_BYTES, &at), -ENOBUFS);
	assert_int_equal(batch_data(&p.b, NULL, SIZE_MAX, &at), -ENOBUFS);
	assert_int_equal(batch_data(&p.b, "abc", 3, &at), 0);
	while ((r = batch_add(&p.b, SYS_getpid, 0, 0, 0, 0, 0, 0)) == n)
		n++;
	assert_int_equal(r, -ENOBUFS);
	assert_int_equal(n, (AREA_BYTES - BATCH_CODE_BYTES) / 64 - 2);
	assert_int_equal(batch_run(&p.b, p.c.pid, &e), 0);
	for (int i = 0; i < n; i++)
		assert_int_equal(batch_result(&p.b, i), p.c.pid);
	end(&p);
}

static void run_many(struct patient *p, int n)
{
	struct err e;

	batch_clear(&p->b);
	for (int i = 0; i < n; i++)
		assert_true(batch_add(&p->b, SYS_gettid, 0, 0, 0, 0, 0, 0) >= 0);
	assert_int_equal(batch_run(&p->b, p->c.pid, &e), 0);
	for (int i = 0; i < n; i++)
		assert_int_equal(batch_result(&p->b, i), p->c.pid);
}

/* what is sent while the thread is ours is seen by the program afterwards, once, as it was sent */
static void signals_stay_what_they_are(void **state)
{
	struct patient p;
	int sum = 0;

	begin(&p, counts);
	assert_int_equal(kill(p.c.pid, SIGUSR1), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(
			sigqueue(p.c.pid, SIGRTMIN, (union sigval){ .sival_int = 100 + i }), 0);
	run_many(&p, 50);
	run_many(&p, 50);
	let_go(&p, 4);

	for (int i = 0; i < 4; i++) {
		const siginfo_t *s = &p.c.page->seen[i];
		bool real_time = s->si_signo == SIGRTMIN;

		assert_int_equal(s->si_code, real_time ? SI_QUEUE : SI_USER);
		assert_int_equal(s->si_pid, getpid());
		if (real_time)
			sum = sum * 1000 + s->si_value.sival_int;
	}
	assert_int_equal(sum, 100101102); /* in their order */
	assert_int_equal(child_end(&p.c), SIGKILL);
}

static void a_trap_that_was_sent_is_kept(void **state)
{
	struct patient p;
	siginfo_t *seen;

	begin(&p, counts);
	assert_int_equal(sigqueue(p.c.pid, SIGTRAP, (union sigval){ .sival_int = 4711 }), 0);
	run_many(&p, 50);
	run_many(&p, 50);
	let_go(&p, 1);
	seen = &p.c.page->seen[0];
	assert_int_equal(seen->si_signo, SIGTRAP);
	assert_int_equal(seen->si_code, SI_QUEUE);
	assert_int_equal(seen->si_pid, getpid());
	assert_int_equal(seen->si_value.sival_int, 4711);
	assert_int_equal(child_end(&p.c), SIGKILL);
}

static void a_trap_of_its_own_is_kept(void **state)
{
	struct patient p;

	(void)state;
	begin(&p, has_trapped);
	run_many(&p, 50);
	run_many(&p, 50);
	let_go(&p, 0);
	atomic_store(&p.c.page->flag, 1);
	assert_int_equal(child_exit_status(&p.c), 0);
}

static uint64_t ignored(pid_t pid)
{
	struct proc_stat st;

	assert_int_equal(proc_stat_read(pid, &st, NULL), 0);
	return st.ignored;
}

static void an_ignored_trap_stays_ignored(void **state)
{
	struct patient p;
	uint64_t was;

	begin(&p, counts_and_ignores_traps);
	was = ignored(p.c.pid);
	assert_true(was >> (SIGTRAP - 1) & 1);
	run_many(&p, 10);
	assert_int_equal(ignored(p.c.pid), was);
	/* also when it was sent one: seen by nobody */
	assert_int_equal(kill(p.c.pid, SIGTRAP), 0);
	run_many(&p, 10);
	assert_int_equal(ignored(p.c.pid), was);
	end(&p);
}

static void killed_in_between(void **state)
{
	struct tracee_stop s;
	struct patient p;
	struct err e;

	begin(&p, counts);
	assert_int_equal(batch_add(&p.b, SYS_kill, (uint64_t)p.c.pid, SIGKILL, 0, 0, 0, 0), 0);
	assert_int_equal(batch_add(&p.b, SYS_getpid, 0, 0, 0, 0, 0, 0), 1);
	assert_int_equal(batch_run(&p.b, p.c.pid, &e), -ESRCH);
	assert_int_equal(tracee_wait(p.c.pid, true, &s), 1);
	assert_int_equal(s.kind, TRACEE_GONE);
	assert_int_equal(s.value, SIGKILL);
	batch_done(&p.b);
	(void)child_end(&p.c);
}

static void an_area_that_is_not_there(void **state)
{
	struct patient p;
	struct batch b;
	struct err e;

	begin(&p, counts);
	batch_init(&b, p.c.pid, 0x10000, AREA_BYTES);
	assert_int_equal(batch_add(&b, SYS_getpid, 0, 0, 0, 0, 0, 0), 0);
	assert_int_equal(batch_run(&b, p.c.pid, &e), -EFAULT);
	batch_done(&b);
	end(&p);
}

/* ---- an agent that dies: only what it has left in the child can help ---- */

static int gate[2]; /* a pipe that the child has too */

/* every register has a value that is looked at again and again */
static int holds_registers(struct child *c)
{
	sigset_t set;

	child_catch(SIGUSR1, 0);
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGUSR2);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	child_say(c);
	__asm__ volatile("	push	%%rbp\n"
			 "	mov	$0x11111111, %%eax\n"
			 "	mov	$0x22222222, %%ebx\n"
			 "	mov	$0x33333333, %%ecx\n"
			 "	mov	$0x44444444, %%ebp\n"
			 "	movq	%%rbp, %%xmm7\n"
			 "	mov	$0x55555555, %%r8d\n"
			 "	mov	$0x66666666, %%r9d\n"
			 "	mov	$0x77777777, %%r10d\n"
			 "	mov	$0x08888888, %%r11d\n"
			 "	mov	$0x09999999, %%r12d\n"
			 "	mov	$0x0aaaaaaa, %%r13d\n"
			 "	mov	$0x0bbbbbbb, %%r14d\n"
			 "	mov	$0x0ccccccc, %%r15d\n"
			 "	movl	$0x0ddddddd, -64(%%rsp)\n" /* the red zone */
			 "1:	lock incq (%%rdi)\n"
			 "	cmp	$0x11111111, %%rax\n"
			 "	jne	2f\n"
			 "	cmp	$0x22222222, %%rbx\n"
			 "	jne	2f\n"
			 "	cmp	$0x33333333, %%rcx\n"
			 "	jne	2f\n"
			 "	cmp	$0x44444444, %%rbp\n"
			 "	jne	2f\n"
			 "	cmp	$0x55555555, %%r8\n"
			 "	jne	2f\n"
			 "	cmp	$0x66666666, %%r9\n"
			 "	jne	2f\n"
			 "	cmp	$0x77777777, %%r10\n"
			 "	jne	2f\n"
			 "	cmp	$0x08888888, %%r11\n"
			 "	jne	2f\n"
			 "	cmp	$0x09999999, %%r12\n"
			 "	jne	2f\n"
			 "	cmp	$0x0aaaaaaa, %%r13\n"
			 "	jne	2f\n"
			 "	cmp	$0x0bbbbbbb, %%r14\n"
			 "	jne	2f\n"
			 "	cmp	$0x0ccccccc, %%r15\n"
			 "	jne	2f\n"
			 "	cmpl	$0x0ddddddd, -64(%%rsp)\n"
			 "	jne	2f\n"
			 "	movq	%%xmm7, %%rax\n"
			 "	cmp	$0x44444444, %%rax\n"
			 "	jne	2f\n"
			 "	mov	$0x11111111, %%eax\n"
			 "	cmpq	$0, (%%rsi)\n"
			 "	je	1b\n"
			 "	jmp	3f\n"
			 "2:	movq	$1, (%%rdx)\n"
			 "3:	pop	%%rbp\n"
			 :
			 : "D"(&c->page->counter), "S"(&c->page->flag), "d"(&c->page->wrong)
			 : "rax", "rbx", "rcx", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
			   "r15", "xmm7", "memory", "cc");
	return (int)atomic_load(&c->page->wrong);
}

/* in a child of the test: take the patient over, say so, and have it make calls until we are killed
 */
static void operate(struct patient *p, long nr, int ready)
{
	struct err e;

	assert_int_equal(tracee_seize(p->c.pid, 0, NULL), 0);
	stop(p);
	assert_int_equal(tracee_find_syscall(p->c.pid, 0, 0, &p->insn), 0);
	p->area = (uint64_t)inject(p, SYS_mmap, 0, AREA_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC,
				   MAP_PRIVATE | MAP_ANONYMOUS, (uint64_t)-1);
	batch_init(&p->b, p->c.pid, p->area, AREA_BYTES);
	batch_heal(&p->b);
	for (;;) {
		uint64_t at;

		batch_clear(&p->b);
		assert_int_equal(batch_data(&p->b, NULL, 1, &at), 0);
		assert_int_equal(batch_add(&p->b, SYS_getpid, 0, 0, 0, 0, 0, 0), 0);
		assert_int_equal(batch_add(&p->b, nr, (uint64_t)gate[0], at, 1, 0, 0, 0), 1);
		if (ready >= 0)
			assert_int_equal(write(ready, "", 1), 1);
		ready = -1;
		assert_int_equal(batch_run(&p->b, p->c.pid, &e), 0);
		assert_int_equal(batch_result(&p->b, 0), p->c.pid);
	}
}

static pid_t start_agent(struct patient *p, long nr)
{
	int ready[2];
	pid_t agent;
	char byte;

	assert_int_equal(pipe(ready), 0);
	agent = fork();
	assert_true(agent >= 0);
	if (agent == 0)
		operate(p, nr, ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	(void)close(ready[0]);
	(void)close(ready[1]);
	return agent;
}

static void end_agent(pid_t agent)
{
	int status;

	assert_int_equal(kill(agent, SIGKILL), 0);
	assert_int_equal(waitpid(agent, &status, 0), agent);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void runs_on_alone(struct patient *p)
{
	struct proc_stat st;

	child_runs_on(&p->c);
	assert_int_equal(proc_stat_read(p->c.pid, &st, NULL), 0);
	assert_int_equal(st.tracer, 0);
	assert_int_equal(st.blocked, 1ULL << (SIGUSR2 - 1));
	assert_int_equal(st.pending | st.shared_pending, 0);
}

static void it_heals_when_the_agent_dies_in_a_call(void **state)
{
	struct patient p;
	pid_t agent;

	assert_int_equal(pipe(gate), 0);
	child_start(&p.c, holds_registers);
	child_await(&p.c);
	agent = start_agent(&p, SYS_read);
	child_until_in_call(p.c.pid, SYS_read);
	end_agent(agent);
	assert_int_equal(write(gate[1], "", 1), 1);
	runs_on_alone(&p);
	/* a signal still comes to it as before */
	assert_int_equal(kill(p.c.pid, SIGUSR1), 0);
	child_until_seen(&p.c, 1);
	atomic_store(&p.c.page->flag, 1);
	assert_int_equal(child_exit_status(&p.c), 0);
}

static void it_heals_wherever_the_agent_dies(void **state)
{
	uint64_t random = 1;
	struct patient p;

	assert_int_equal(pipe(gate), 0);
	child_start(&p.c, holds_registers);
	child_await(&p.c);
	for (int i = 0; i < 100; i++) {
		pid_t agent = start_agent(&p, SYS_getppid);

		random = random * 6364136223846793005ULL + 1442695040888963407ULL;
		for (volatile uint64_t k = 0; k < random >> 46; k++)
			; /* a while */
		end_agent(agent);
		runs_on_alone(&p);
	}
	assert_int_equal(atomic_load(&p.c.page->n_seen), 0);
	atomic_store(&p.c.page->flag, 1);
	assert_int_equal(child_exit_status(&p.c), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_hundred_calls),
		cmocka_unit_test(the_area_is_the_limit),
		cmocka_unit_test(signals_stay_what_they_are),
		cmocka_unit_test(a_trap_that_was_sent_is_kept),
		cmocka_unit_test(a_trap_of_its_own_is_kept),
		cmocka_unit_test(an_ignored_trap_stays_ignored),
		cmocka_unit_test(killed_in_between),
		cmocka_unit_test(it_heals_when_the_agent_dies_in_a_call),
		cmocka_unit_test(it_heals_wherever_the_agent_dies),
		cmocka_unit_test(an_area_that_is_not_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
