/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tracee.h - stop, look at, change and continue the threads of another process by ptrace(2)
 *
 * Theory of operation. Threads are seized (PTRACE_SEIZE), never attached: nothing stops by itself
 * and no SIGSTOP is sent. A thread is either running or in a stop that was reported by
 * tracee_wait(); all functions but those two and tracee_interrupt() want a stopped thread. A
 * stop is decoded once, here, into a struct tracee_stop.
 *
 * A thread that goes away at any moment (SIGKILL, exit_group of another thread) is an ordinary
 * case: every function then says -ESRCH, and the end is reported by tracee_wait().
 *
 * A thread in uninterruptible sleep (a dead file server) does not stop until it wakes. What waits
 * for a stop does so until a signal handler of the caller runs (without SA_RESTART), and then says
 * -EINTR: the caller sets a timer if it cannot wait for ever.
 */
#ifndef TRACEE_TRACEE_H
#define TRACEE_TRACEE_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/user.h>

#include "base/err.h"

#define TRACEE_SYSCALL_BYTES 2 /* of a syscall instruction: 0f 05 */

enum tracee_stop_kind {
	TRACEE_SIGNAL,	  /* a signal is about to be delivered: signo, info */
	TRACEE_GROUP,	  /* job control has stopped the process: signo is the stopping signal */
	TRACEE_INTERRUPT, /* PTRACE_INTERRUPT was obeyed, or a group stop has ended (SIGCONT) */
	TRACEE_SECCOMP,	  /* SECCOMP_RET_TRACE: value is its data */
	TRACEE_CLONE,	  /* value is the new thread's id; fork and vfork of it: FORK */
	TRACEE_FORK,
	TRACEE_EXEC,
	TRACEE_EXITING, /* PTRACE_EVENT_EXIT: value is its wait status */
	TRACEE_SYSCALL, /* PTRACE_SYSCALL stop */
	TRACEE_TRAP,	/* a breakpoint of ours, or a single step (SIGTRAP not sent by anyone) */
	TRACEE_GONE,	/* has ended: value is its wait status; reaped */
};

struct tracee_stop {
	pid_t tid;
	enum tracee_stop_kind kind;
	int signo;
	unsigned long value;
	siginfo_t info; /* SIGNAL and TRAP only */
};

/* ------------------------------------------------------------------ stops */

/**
 * tracee_seize() - Begin to trace a thread, which runs on
 * @tid:	The thread
 * @options:	PTRACE_O_EXITKILL, PTRACE_O_TRACE... (of CLONE, FORK, VFORK, EXEC, EXIT, SECCOMP);
 *		PTRACE_O_TRACESYSGOOD is always set
 * @e:		Reason
 *
 * Return: 0, -ESRCH, -EPERM, -EINVAL another option
 */
int tracee_seize(pid_t tid, unsigned long options, struct err *e) MUST_CHECK;

/** tracee_set_options() - Other options for a stopped thread */
int tracee_set_options(pid_t tid, unsigned long options) MUST_CHECK;

/**
 * tracee_seize_all() - Seize and stop every thread of a process
 * @pid:	The process
 * @options:	PTRACE_O_...
 * @tids:	Filled: the leader first
 * @max, @ret_n: Room; how many
 * @e:		Reason
 *
 * Goes over /proc/PID/task until no new thread is found. All threads are stopped at return, in an
 * INTERRUPT stop, or a GROUP stop: *stopped is set to its signal, else to 0. A signal whose
 * delivery has begun is delivered as if nobody was there; the thread then stops before the first
 * instruction of the handler. On failure all are detached again (after -EINTR: but those that have
 * not stopped, which are let go when the caller exits).
 *
 * Return: 0, -ESRCH (has ended, or became another program meanwhile), -EPERM, -E2BIG (more than
 * max), -EBUSY (traced by somebody else), -EOPNOTSUPP (its first thread has ended), -EINTR
 */
int tracee_seize_all(pid_t pid, unsigned long options, pid_t *tids, size_t max, size_t *ret_n,
		     int *stopped, struct err *e) MUST_CHECK;

int tracee_interrupt(pid_t tid) MUST_CHECK;

/**
 * tracee_wait() - The next stop
 * @tid:	Of this thread, or -1 for any that we trace or are the parent of
 * @block:	Wait for it
 *
 * Return: 1 a stop was reported, 0 there is none (not @block), -ECHILD nobody to wait for, -EINTR
 */
int tracee_wait(pid_t tid, bool block, struct tracee_stop *ret) MUST_CHECK;

/**
 * tracee_stop_thread() - Interrupt a running thread and wait until it is stopped
 * @tid:	The thread
 * @ret:	Its stop: INTERRUPT, GROUP, or the event that came first (CLONE, SYSCALL, TRAP ...;
 *		it must be interrupted again when it goes on from there), never SIGNAL
 *
 * A signal whose delivery has begun is put back (tracee_put_back()). Where signals are anyhow dealt
 * with one by one, tracee_interrupt() and going on with tracee_wait() until the INTERRUPT stop
 * keeps their order too.
 *
 * Return: 0, -ESRCH, -EINTR (it runs on and will stop)
 */
int tracee_stop_thread(pid_t tid, struct tracee_stop *ret) MUST_CHECK;

/**
 * tracee_put_back() - Undo the delivery that a SIGNAL (or TRAP) stop has begun
 * @s:		The stop, in which the thread still is
 *
 * The signal is in the queue again that it was taken from, the process's or the thread's, with its
 * siginfo: the kernel does that for a signal that has become blocked in the stop. (Of several
 * real-time signals of one number it is now the last.) The thread is in an INTERRUPT or GROUP stop
 * then. SIGSTOP cannot be put back, it stops the group.
 *
 * Return: 0, -ESRCH
 */
int tracee_put_back(const struct tracee_stop *s) MUST_CHECK;

/** tracee_cont() - Run on, delivering signo (0: none) */
int tracee_cont(pid_t tid, int signo) MUST_CHECK;
int tracee_syscall_cont(pid_t tid, int signo)
	MUST_CHECK;			 /* until the next entry or exit of a call */
int tracee_listen(pid_t tid) MUST_CHECK; /* stay in the group stop, tell what changes */
int tracee_detach(pid_t tid, int signo) MUST_CHECK;

enum tracee_call_end {
	TRACEE_CALL_BEGINS,
	TRACEE_CALL_ENDS,
	TRACEE_CALL_AGAIN, /* it ends for a signal, and is made again unless a handler's flags say no */
};

/**
 * tracee_get_call() - In which SYSCALL stop is it?
 * @ret_nr:	Of the call that begins
 *
 * Return: enum tracee_call_end, -ESRCH, -EINVAL it is in no such stop
 */
int tracee_get_call(pid_t tid, uint64_t *ret_nr) MUST_CHECK;

/* --------------------------------------------------------------- registers */

int tracee_get_regs(pid_t tid, struct user_regs_struct *ret) MUST_CHECK;
int tracee_set_regs(pid_t tid, const struct user_regs_struct *regs) MUST_CHECK;

/** tracee_get_xstate() - As NT_X86_XSTATE has it; *len is room and then what it has */
int tracee_get_xstate(pid_t tid, void *p, size_t *len) MUST_CHECK;

/**
 * tracee_set_xstate() - Set what tracee_get_xstate() gave, here or on a machine with another CPU
 *
 * Return: 0 or -errno; also when something is in use of which this CPU knows nothing
 */
int tracee_set_xstate(pid_t tid, const void *p, size_t len) MUST_CHECK;
int tracee_get_sigmask(pid_t tid, uint64_t *ret) MUST_CHECK;
int tracee_set_sigmask(pid_t tid, uint64_t mask) MUST_CHECK;
int tracee_get_siginfo(pid_t tid, siginfo_t *ret) MUST_CHECK;
int tracee_set_siginfo(pid_t tid, const siginfo_t *info) MUST_CHECK;

struct tracee_rseq {
	uint64_t address; /* 0: none */
	uint32_t size, signature;
};

int tracee_get_rseq(pid_t tid, struct tracee_rseq *ret) MUST_CHECK;

/* what the word at TRACEE_RSEQ_CS_AT of the area points to, linux/rseq.h */
#define TRACEE_RSEQ_CS_AT 8
struct tracee_rseq_cs {
	uint32_t version, flags;
	uint64_t start, len, abort;
};

/**
 * tracee_leave_rseq() - Take a stopped thread out of a restartable sequence, rseq(2)
 * @tid:	The thread
 * @regs:	Its registers; rip becomes the sequence's abort address when it is inside one
 *
 * As the kernel does after each preemption, and a stop is one. Whoever makes the thread run
 * elsewhere must do it before, since the kernel forgets the sequence as soon as it sees the thread
 * outside; the injecting functions do.
 *
 * Return: 1 it was inside, 0 it was not, -errno
 */
int tracee_leave_rseq(pid_t tid, struct user_regs_struct *regs) MUST_CHECK;

/** tracee_get_robust_list() - get_robust_list(2) of another thread */
int tracee_get_robust_list(pid_t tid, uint64_t *address, uint64_t *size) MUST_CHECK;

enum tracee_restart {
	TRACEE_NO_RESTART,    /* not in a call, or it is done */
	TRACEE_RESTART,	      /* the registers now execute the call again (-512 to -514) */
	TRACEE_RESTART_BLOCK, /* -516: its rest is in the kernel; the registers are not changed */
};

/**
 * tracee_rewind() - What the kernel does when a call was interrupted and no handler runs
 *
 * For a thread stopped inside a call: rip back to the call's instruction, rax its number. With
 * orig_rax = -1, so that the kernel does not do it once more (not for RESTART_BLOCK, where nothing
 * is changed).
 */
enum tracee_restart tracee_rewind(struct user_regs_struct *regs);

/**
 * tracee_rewind_block() - After RESTART_BLOCK: have it call restart_syscall(2) when it goes on
 *
 * Right only in this thread, and as long as it has executed no other call that keeps something
 * there (nanosleep, poll, futex ...) and no signal was delivered.
 */
void tracee_rewind_block(struct user_regs_struct *regs);

/* ------------------------------------------------------------------ memory */

/** tracee_read(), tracee_write() - All of it or -EFAULT; protections hold (process_vm_readv(2)) */
int tracee_read(pid_t pid, uint64_t at, void *p, size_t n) MUST_CHECK;
int tracee_write(pid_t pid, uint64_t at, const void *p, size_t n) MUST_CHECK;

/** tracee_read_some() - As much as there is from the start, at least 1, or -EFAULT */
ssize_t tracee_read_some(pid_t pid, uint64_t at, void *p, size_t n) MUST_CHECK;

/** tracee_read_string() - With its NUL; -EFAULT, -ENAMETOOLONG; Return: length without NUL */
ssize_t tracee_read_string(pid_t pid, uint64_t at, char *p, size_t n) MUST_CHECK;

/** tracee_mem_open() - /proc/PID/mem: writes whatever the protection, for a stopped process */
int tracee_mem_open(pid_t pid) MUST_CHECK;

/* ---------------------------------------------------------- injected calls */

/**
 * tracee_find_syscall() - Address of a syscall instruction in [from, to), or in [vdso] (both 0)
 *
 * Return: 0, -ENOENT there is none, -EFAULT, -ESRCH
 */
int tracee_find_syscall(pid_t pid, uint64_t from, uint64_t to, uint64_t *ret) MUST_CHECK;

/**
 * tracee_inject() - Have a stopped thread execute one call
 * @tid:	The thread; its registers are as before at return
 * @insn:	Address of a syscall instruction
 * @nr, @args:	The call
 * @ret:	Its result
 *
 * Signals are blocked meanwhile and so stay where they are (a thread made by an injected clone
 * is born with all of them blocked). A stop of the group or its end in between is reported when the
 * thread goes on. The thread must not be in a call that is to be restarted: tracee_rewind() and
 * tracee_set_regs() first. It may be in any stop but CLONE, FORK, EXEC and EXITING; the signal of a
 * SIGNAL stop is dropped (tracee_put_back() first), the call of a SECCOMP or SYSCALL stop is not
 * executed.
 *
 * Return: 0, -ESRCH, -EINVAL (a call is to be restarted), -EFAULT (no syscall instruction there),
 * -EINTR (a handler of the caller ran: the call was given up as soon as the kernel let go of it)
 */
int tracee_inject(pid_t tid, uint64_t insn, long nr, const uint64_t args[6], int64_t *ret)
	MUST_CHECK;

/**
 * tracee_inject_begun() - Likewise, of a call that must not wait
 *
 * Where it would, it is interrupted before: *ret is then -512 to -514 or -516 (not for programs), or
 * -EINTR, and the kernel has what belongs to it (tracee_rewind_block()).
 */
int tracee_inject_begun(pid_t tid, uint64_t insn, long nr, const uint64_t args[6], int64_t *ret)
	MUST_CHECK;

#endif
