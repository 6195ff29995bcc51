/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stop.c - wait for the stops of traced threads, and say what each one is
 *
 * Theory of operation. What wait(2) gives of a stop is a code: the signal in the low byte, the
 * event of ptrace(2) above it.
 *
 *	event PTRACE_EVENT_STOP		signal SIGTRAP: PTRACE_INTERRUPT, or SIGCONT has come, or
 *					the birth of a thread; a stopping signal: group stop
 *	another event			said by itself; its value by PTRACE_GETEVENTMSG
 *	no event, SIGTRAP | 0x80	a system call (we always set PTRACE_O_TRACESYSGOOD)
 *	no event			a signal is about to be delivered; SIGTRAP made by the
 *					kernel (si_code above 0) is a breakpoint or a step
 *
 * Ends are reaped by tracee_wait() only. All else waits with waitid(2) without WEXITED: a thread
 * that ends then makes it say -ECHILD, and its end can still be reported.
 *
 * An INTERRUPT is lost when the thread stops for another reason first (any trap clears it,
 * ptrace_stop() in the kernel), unless it was given while the thread was in that stop. So whoever
 * goes on from such a stop and still wants the thread stopped interrupts it again before.
 */
#include "tracee/stop.h"

#include <errno.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#define EVENT_OF(code)	((code) >> 8)
#define SIGNAL_OF(code) ((code)&0xff)
#define SYSCALL_SIGNAL	(SIGTRAP | 0x80) /* by PTRACE_O_TRACESYSGOOD */

/* the events that have a kind of their own; options for others are not taken (tracee_seize()) */
static const struct event_row {
	unsigned int event;
	unsigned long option;
	enum tracee_stop_kind kind;
} event_rows[] = {
	{ PTRACE_EVENT_FORK, PTRACE_O_TRACEFORK, TRACEE_FORK },
	{ PTRACE_EVENT_VFORK, PTRACE_O_TRACEVFORK, TRACEE_FORK },
	{ PTRACE_EVENT_CLONE, PTRACE_O_TRACECLONE, TRACEE_CLONE },
	{ PTRACE_EVENT_EXEC, PTRACE_O_TRACEEXEC, TRACEE_EXEC },
	{ PTRACE_EVENT_EXIT, PTRACE_O_TRACEEXIT, TRACEE_EXITING },
	{ PTRACE_EVENT_SECCOMP, PTRACE_O_TRACESECCOMP, TRACEE_SECCOMP },
};

static int no_errno(long r)
{
	return r < 0 ? -errno : 0;
}

static bool stops_the_group(int signo)
{
	return signo == SIGSTOP || signo == SIGTSTP || signo == SIGTTIN || signo == SIGTTOU;
}

/* Return: 0, -ESRCH the thread was killed since */
static int decode_event(struct tracee_stop *s, unsigned int event, int signo)
{
	if (event == PTRACE_EVENT_STOP) {
		s->kind = stops_the_group(signo) ? TRACEE_GROUP : TRACEE_INTERRUPT;
		s->signo = s->kind == TRACEE_GROUP ? signo : 0;
		return 0;
	}

	for (size_t i = 0; i < ARRAY_LEN(event_rows); i++) {
		if (event_rows[i].event != event)
			continue;
		s->kind = event_rows[i].kind;
		return no_errno(ptrace(PTRACE_GETEVENTMSG, s->tid, NULL, &s->value));
	}
	return -EPROTO; /* of an option that tracee_seize() does not take */
}

/* Return: 0, -ESRCH the thread was killed since */
static int decode(pid_t tid, unsigned int code, struct tracee_stop *ret)
{
	unsigned int event = EVENT_OF(code);
	int signo = SIGNAL_OF(code), r;

	*ret = (struct tracee_stop){ .tid = tid };
	if (event)
		return decode_event(ret, event, signo);
	if (signo == SYSCALL_SIGNAL) {
		ret->kind = TRACEE_SYSCALL;
		return 0;
	}

	r = tracee_get_siginfo(tid, &ret->info);
	if (r < 0)
		return r;
	ret->kind = signo == SIGTRAP && ret->info.si_code > 0 ? TRACEE_TRAP : TRACEE_SIGNAL;
	ret->signo = signo;
	return 0;
}

int stop_wait(pid_t tid, struct tracee_stop *ret)
{
	for (;;) {
		siginfo_t info = { 0 };
		int r;

		if (waitid(P_PID, (id_t)tid, &info, WSTOPPED | __WALL) < 0)
			return errno == ECHILD ? -ESRCH : -errno;
		r = decode(tid, (unsigned int)info.si_status, ret);
		if (r != -ESRCH)
			return r;
	}
}

int tracee_seize(pid_t tid, unsigned long options, struct err *e)
{
	unsigned long known = PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL;

	for (size_t i = 0; i < ARRAY_LEN(event_rows); i++)
		known |= event_rows[i].option;
	if (options & ~known)
		return err_set(e, -EINVAL, "options 0x%lx of ptrace are not known here",
			       options & ~known);

	if (ptrace(PTRACE_SEIZE, tid, NULL, options | PTRACE_O_TRACESYSGOOD) < 0)
		return err_set(e, -errno, "cannot trace thread %d: %s", tid, strerror(errno));
	return 0;
}

int tracee_set_options(pid_t tid, unsigned long options)
{
	return no_errno(ptrace(PTRACE_SETOPTIONS, tid, NULL, options | PTRACE_O_TRACESYSGOOD));
}

int tracee_interrupt(pid_t tid)
{
	return no_errno(ptrace(PTRACE_INTERRUPT, tid, NULL, NULL));
}

int tracee_wait(pid_t tid, bool block, struct tracee_stop *ret)
{
	for (;;) {
		int status, r;
		pid_t who = waitpid(tid, &status, __WALL | (block ? 0 : WNOHANG));

		if (who <= 0)
			return who < 0 ? -errno : 0;
		if (!WIFSTOPPED(status)) {
			*ret = (struct tracee_stop){ .tid = who,
						     .kind = TRACEE_GONE,
						     .value = (unsigned int)status };
			return 1;
		}

		r = decode(who, (unsigned int)status >> 8, ret);
		if (r != -ESRCH)
			return r < 0 ? r : 1;
		/* killed in this stop: what is reported next is its end */
	}
}

int tracee_put_back(const struct tracee_stop *s)
{
	struct tracee_stop now;
	uint64_t mask;
	int r;

	r = tracee_get_sigmask(s->tid, &mask);
	if (r < 0)
		return r;
	/* the kernel queues a signal again that is blocked when the tracer lets it go on */
	r = tracee_set_sigmask(s->tid, ~0ULL);
	if (r < 0)
		return r;
	r = tracee_interrupt(s->tid);
	if (r < 0)
		return r;
	r = tracee_cont(s->tid, s->signo);
	if (r < 0)
		return r;

	/* in the kernel until the interrupt is obeyed; no signal can come between but SIGSTOP */
	for (;;) {
		do {
			r = stop_wait(s->tid, &now);
		} while (r == -EINTR);
		if (r < 0)
			return r;
		if (now.kind == TRACEE_INTERRUPT || now.kind == TRACEE_GROUP)
			return tracee_set_sigmask(s->tid, mask);
		r = tracee_interrupt(s->tid);
		if (r < 0)
			return r;
		r = tracee_cont(s->tid, now.kind == TRACEE_SIGNAL ? now.signo : 0);
		if (r < 0)
			return r;
	}
}

int tracee_stop_thread(pid_t tid, struct tracee_stop *ret)
{
	for (;;) {
		int r = tracee_interrupt(tid);

		if (r < 0)
			return r;
		r = stop_wait(tid, ret);
		if (r < 0)
			return r;
		if (ret->kind != TRACEE_SIGNAL)
			return 0;

		/* SIGSTOP cannot be put back: it begins the group stop that it stands for */
		if (ret->signo == SIGSTOP) {
			r = tracee_cont(tid, SIGSTOP);
			if (r < 0)
				return r;
			continue;
		}
		r = tracee_put_back(ret);
		if (r < 0)
			return r;
		*ret = (struct tracee_stop){ .tid = tid, .kind = TRACEE_INTERRUPT };
		return 0;
	}
}

int tracee_cont(pid_t tid, int signo)
{
	return no_errno(ptrace(PTRACE_CONT, tid, NULL, (long)signo));
}

int tracee_syscall_cont(pid_t tid, int signo)
{
	return no_errno(ptrace(PTRACE_SYSCALL, tid, NULL, (long)signo));
}

int tracee_listen(pid_t tid)
{
	return no_errno(ptrace(PTRACE_LISTEN, tid, NULL, NULL));
}

int tracee_detach(pid_t tid, int signo)
{
	return no_errno(ptrace(PTRACE_DETACH, tid, NULL, (long)signo));
}
