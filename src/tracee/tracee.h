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
 */
#ifndef TRACEE_TRACEE_H
#define TRACEE_TRACEE_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/user.h>

#include "base/err.h"

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

/** tracee_seize() - Begin to trace a thread; @options: PTRACE_O_... */
int tracee_seize(pid_t tid, unsigned long options, struct err *e) MUST_CHECK;

/**
 * tracee_seize_all() - Seize and stop every thread of a process
 * @pid:	The process
 * @options:	PTRACE_O_...
 * @tids:	Filled: the leader first
 * @max, @ret_n: Room; how many
 * @e:		Reason
 *
 * Goes over /proc/PID/task until no new thread is found. All threads are stopped at return (in an
 * INTERRUPT stop; a signal that comes first is put back by queueing it again with its siginfo; a
 * thread in a group stop: *stopped is set to the signal). On failure all are detached again.
 *
 * Return: 0, -ESRCH, -EPERM, -E2BIG (more than max), -EBUSY (traced by somebody else)
 */
int tracee_seize_all(pid_t pid, unsigned long options, pid_t *tids, size_t max, size_t *ret_n,
		     int *stopped, struct err *e) MUST_CHECK;

int tracee_interrupt(pid_t tid) MUST_CHECK;

/**
 * tracee_wait() - The next stop
 * @tid:	Of this thread, or -1 for any that we trace or are the parent of
 * @block:	Wait for it
 *
 * Return: 1 a stop was reported, 0 there is none (not @block), -ECHILD nobody to wait for
 */
int tracee_wait(pid_t tid, bool block, struct tracee_stop *ret) MUST_CHECK;

/** tracee_stop_thread() - Interrupt and wait until stopped; signals that come first: put back */
int tracee_stop_thread(pid_t tid, struct tracee_stop *ret) MUST_CHECK;

/** tracee_cont() - Run on, delivering signo (0: none) */
int tracee_cont(pid_t tid, int signo) MUST_CHECK;
int tracee_syscall_cont(pid_t tid, int signo)
	MUST_CHECK;			 /* until the next entry or exit of a call */
int tracee_listen(pid_t tid) MUST_CHECK; /* stay in the group stop, tell what changes */
int tracee_detach(pid_t tid, int signo) MUST_CHECK;

/* --------------------------------------------------------------- registers */

int tracee_get_regs(pid_t tid, struct user_regs_struct *ret) MUST_CHECK;
int tracee_set_regs(pid_t tid, const struct user_regs_struct *regs) MUST_CHECK;

/** tracee_get_xstate() - NT_X86_XSTATE; *len is room and then what it has */
int tracee_get_xstate(pid_t tid, void *p, size_t *len) MUST_CHECK;
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
 * orig_rax = -1 in any case, so that the kernel does not do it once more.
 */
enum tracee_restart tracee_rewind(struct user_regs_struct *regs);

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

/** tracee_find_syscall() - Address of a syscall instruction in [vdso] or in [from, to) of pid */
int tracee_find_syscall(pid_t pid, uint64_t from, uint64_t to, uint64_t *ret) MUST_CHECK;

/**
 * tracee_inject() - Have a stopped thread execute one call
 * @tid:	The thread; its registers are as before at return
 * @insn:	Address of a syscall instruction
 * @nr, @args:	The call
 * @ret:	Its result
 *
 * Signals that come meanwhile are put back. The thread must not be in a call that is to be
 * restarted: tracee_rewind() and tracee_set_regs() first.
 *
 * Return: 0, -ESRCH
 */
int tracee_inject(pid_t tid, uint64_t insn, long nr, const uint64_t args[6], int64_t *ret)
	MUST_CHECK;

#endif
