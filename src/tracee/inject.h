/* SPDX-License-Identifier: GPL-2.0-or-later */
/* inject.h - inside tracee/: borrow a stopped thread, and give it back as it was */
#ifndef TRACEE_INJECT_H
#define TRACEE_INJECT_H

#include "tracee/tracee.h"

struct loan {
	pid_t tid;
	struct user_regs_struct regs; /* to be put back */
	uint64_t mask;
	bool again;    /* a stop of job control came in between: to be reported again */
	bool given_up; /* a handler of ours ran, the thread has been interrupted */
};

/**
 * loan_begin() - Keep registers and signal mask of a thread
 * @l:		Filled
 * @tid:	A stopped thread
 *
 * Return: 0, -ESRCH, -EINVAL it is in a call that is to be restarted (tracee_rewind() first)
 */
int loan_begin(struct loan *l, pid_t tid) MUST_CHECK;

/**
 * loan_set() - Give it registers of ours, then block signals
 *
 * In this order, and loan_end() in the other one: a thread that may heal (batch_heal()) has its own
 * mask as long as it has its own registers, wherever the agent dies.
 */
int loan_set(const struct loan *l, const struct user_regs_struct *regs, uint64_t mask) MUST_CHECK;

/** loan_end() - Put back what loan_begin() has kept; the thread is stopped; -ESRCH */
int loan_end(struct loan *l) MUST_CHECK;

/**
 * loan_next() - Go on until the next stop that is not somebody else's business
 * @l:		Of loan_begin()
 * @by_call:	Stop at entry and exit of calls too
 * @ret:	TRACEE_SYSCALL, TRACEE_TRAP, or TRACEE_SIGNAL of a signal that was not blocked
 *
 * Return: 0, -ESRCH, -EFAULT the thread ran into memory or an instruction that is not there,
 * -EINTR it was given up, and stands in the call it was in
 */
int loan_next(struct loan *l, bool by_call, struct tracee_stop *ret) MUST_CHECK;

#endif
