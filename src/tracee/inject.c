/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * inject.c - have a stopped thread execute a call that is not its own
 *
 * Theory of operation. The thread gets registers of ours, with rip at a syscall instruction, and
 * runs from the stop before the call (PTRACE_SYSCALL) to the stop after it. Those two stops are no
 * signals. A breakpoint or a single step needs one stop only, but ends in a SIGTRAP which the
 * kernel forces: where the program ignores or blocks SIGTRAP, its action is reset for good
 * (force_sig_info_to_task()). batch.c pays that price once for many calls, and repairs it.
 *
 * What comes from outside in between must not be lost, seen twice or changed:
 *
 *	signals		all are blocked meanwhile, so they stay in the kernel's queues
 *	SIGSTOP		cannot be blocked. It is let through: the kernel begins the group stop, and
 *			this thread alone goes on for us
 *	job control	a stop of the group or its end (SIGCONT) is passed over, and asked for again
 *			by PTRACE_INTERRUPT at the end: the next time the thread goes on it is
 *			reported, as it is then
 *	SIGKILL		-ESRCH; the end is left for tracee_wait() to report
 *
 * A thread inside a restartable sequence (rseq(2)) leaves it as after any preemption: the kernel
 * would do so when it comes back, but forgets it as soon as the thread is seen outside, with us.
 */
#include "tracee/inject.h"

#include <errno.h>
#include <sys/syscall.h>

#include "tracee/maps.h"
#include "tracee/stop.h"

#define SCAN_BYTES 16384

int loan_begin(struct loan *l, pid_t tid)
{
	struct user_regs_struct as_is;
	int r;

	*l = (struct loan){ .tid = tid };
	r = tracee_get_regs(tid, &l->regs);
	if (r < 0)
		return r;
	as_is = l->regs;
	if (tracee_rewind(&as_is) != TRACEE_NO_RESTART)
		return -EINVAL;

	r = tracee_leave_rseq(tid, &l->regs);
	if (r < 0)
		return r;
	return tracee_get_sigmask(tid, &l->mask);
}

int loan_set(const struct loan *l, const struct user_regs_struct *regs, uint64_t mask)
{
	int r = tracee_set_regs(l->tid, regs);

	return r < 0 ? r : tracee_set_sigmask(l->tid, mask);
}

int loan_end(struct loan *l)
{
	int r = tracee_set_sigmask(l->tid, l->mask);

	if (r < 0)
		return r;
	r = tracee_set_regs(l->tid, &l->regs);
	if (r < 0)
		return r;
	return l->again ? tracee_interrupt(l->tid) : 0;
}

/* a fault that the borrowed thread made itself? */
static bool is_fault(const struct tracee_stop *s)
{
	return s->info.si_code > 0 &&
	       (s->signo == SIGSEGV || s->signo == SIGBUS || s->signo == SIGILL ||
		s->signo == SIGFPE || s->signo == SIGSYS);
}

static int wait_stop(struct loan *l, struct tracee_stop *ret)
{
	for (;;) {
		int r = stop_wait(l->tid, ret);

		if (r != -EINTR)
			return r;
		/* somebody's patience is over: get it out of a call that can be interrupted */
		r = tracee_interrupt(l->tid);
		if (r < 0)
			return r;
		l->given_up = true;
	}
}

int loan_next(struct loan *l, bool by_call, struct tracee_stop *ret)
{
	int signo = 0;

	for (;;) {
		int r = by_call ? tracee_syscall_cont(l->tid, signo) : tracee_cont(l->tid, signo);

		if (r < 0)
			return r;
		r = wait_stop(l, ret);
		if (r < 0)
			return r;

		signo = 0;
		switch (ret->kind) {
		case TRACEE_SYSCALL:
		case TRACEE_TRAP:
			return 0;
		case TRACEE_SIGNAL:
			if (is_fault(ret))
				return -EFAULT;
			if (ret->signo != SIGSTOP)
				return 0;
			signo = SIGSTOP;
			break;
		case TRACEE_GROUP:
		case TRACEE_INTERRUPT:
			if (l->given_up)
				return -EINTR;
			l->again = true;
			break;
		case TRACEE_SECCOMP: /* the caller's own call asks for it */
		case TRACEE_CLONE:
		case TRACEE_FORK:
		case TRACEE_EXEC:
		case TRACEE_EXITING:
		case TRACEE_GONE:
			break;
		}
	}
}

/* @begin: it is interrupted when it waits; Return: 0 when the call is done, -errno of loan_next() */
static int run_call(struct loan *l, uint64_t insn, bool begin, struct user_regs_struct *regs)
{
	bool inside = false;

	for (;;) {
		struct user_regs_struct now;
		struct tracee_stop s;
		int r = loan_next(l, true, &s);

		if (r < 0)
			return r;
		if (s.kind != TRACEE_SYSCALL)
			return -EFAULT; /* insn was no syscall instruction */
		r = tracee_get_regs(l->tid, regs);
		if (r < 0)
			return r;

		/*
		 * Before it comes to our call there may be the exit of one that the thread was
		 * stopped in (a stop of seccomp, or at an entry): told by its place
		 */
		if (regs->rip != insn + TRACEE_SYSCALL_BYTES)
			continue;
		inside = !inside;
		if (inside) {
			/* given in this stop it waits, and stops nothing before the call's end */
			r = begin ? tracee_interrupt(l->tid) : 0;
			if (r < 0)
				return r;
			continue;
		}
		if (begin)
			return 0;

		/* interrupted by a stop of job control: the kernel is going to begin it again */
		now = *regs;
		if (tracee_rewind(&now) == TRACEE_NO_RESTART)
			return 0;
		if (l->given_up)
			return -EINTR;
	}
}

static int inject(pid_t tid, uint64_t insn, bool begin, long nr, const uint64_t args[6],
		  int64_t *ret)
{
	struct user_regs_struct regs;
	struct loan l;
	int r, end;

	r = loan_begin(&l, tid);
	if (r < 0)
		return r;
	regs = l.regs;
	regs.rip = insn;
	regs.rax = (unsigned long long)nr;
	regs.orig_rax = (unsigned long long)-1;
	regs.rdi = args[0];
	regs.rsi = args[1];
	regs.rdx = args[2];
	regs.r10 = args[3];
	regs.r8 = args[4];
	regs.r9 = args[5];

	r = loan_set(&l, &regs, ~0ULL);
	if (r == 0)
		r = run_call(&l, insn, begin, &regs);
	end = loan_end(&l);
	if (r == 0)
		r = end;
	if (r == 0)
		*ret = (int64_t)regs.rax;
	return r;
}

int tracee_inject(pid_t tid, uint64_t insn, long nr, const uint64_t args[6], int64_t *ret)
{
	return inject(tid, insn, false, nr, args, ret);
}

int tracee_inject_begun(pid_t tid, uint64_t insn, long nr, const uint64_t args[6], int64_t *ret)
{
	return inject(tid, insn, true, nr, args, ret);
}

static int scan(pid_t pid, uint64_t from, uint64_t to, uint64_t *ret)
{
	uint8_t bytes[SCAN_BYTES];

	while (from + TRACEE_SYSCALL_BYTES <= to) {
		size_t want = to - from < sizeof(bytes) ? to - from : sizeof(bytes);
		ssize_t n = tracee_read_some(pid, from, bytes, want);

		if (n < TRACEE_SYSCALL_BYTES)
			return n < 0 ? (int)n : -ENOENT;
		for (ssize_t i = 0; i + 1 < n; i++) {
			if (bytes[i] == 0x0f && bytes[i + 1] == 0x05) {
				*ret = from + (uint64_t)i;
				return 0;
			}
		}
		from += (uint64_t)n - 1;
	}
	return -ENOENT;
}

int tracee_find_syscall(pid_t pid, uint64_t from, uint64_t to, uint64_t *ret)
{
	struct maps m;
	int r;

	if (from || to)
		return scan(pid, from, to, ret);

	r = maps_read(pid, false, &m, NULL);
	if (r < 0)
		return r;
	r = -ENOENT;
	for (size_t i = 0; r < 0 && i < m.n; i++)
		if (!strcmp(m.entries[i].name, "[vdso]"))
			r = scan(pid, m.entries[i].start, m.entries[i].end, ret);
	maps_done(&m);
	return r;
}
