/* SPDX-License-Identifier: GPL-2.0-or-later */
/* set_state.h - calls of a batch that give a process the state of an image; both ends use them */
#ifndef MIGRATE_SET_STATE_H
#define MIGRATE_SET_STATE_H

#include "image/image.h"
#include "tracee/batch.h"

/**
 * set_state_process() - Signal actions, CPU timers, the marks of brk and stack, personality
 * @used:	It has actions already: those that are default in the image are set as well
 */
int set_state_process(struct batch *b, const struct image *m, bool used) MUST_CHECK;

/**
 * set_state_name() - What a thread is called
 *
 * For the host only: home has it right, for others may have written it there (/proc/PID/task/TID/comm)
 */
int set_state_name(struct batch *b, const struct image_thread *t) MUST_CHECK;

/** set_state_thread() - Rseq, robust list, alternate stack, timer slack, clear_tid */
int set_state_thread(struct batch *b, const struct image_thread *t, bool with_rseq) MUST_CHECK;

/** set_state_registers() - xstate, signal mask and registers of a stopped thread, by ptrace */
int set_state_registers(const struct image_thread *t) MUST_CHECK;

/**
 * set_state_in_call() - The last thing before a stopped thread goes on: it is in its call
 * @t:		Its image; its registers are these, or others that do not make the call again
 * @home:	The kernel has the rest of its sleep
 *
 * Registers that are about to make a call again are in no call, so a handler for a signal that comes
 * first would run, and then the call be made, which may wait for that very signal. So the registers
 * are those of a call that was just interrupted, and the kernel decides: with a signal EINTR, or
 * else the call again. It looks at that on its way past signals only: so the thread is
 * interrupted, and may stop for that once more. A call with a signal mask of its own is made again in
 * any case: what that mask lets in ends it then.
 */
void set_state_in_call(const struct image_thread *t, bool home);

/** set_state_run() - Execute a batch; @what is said when one of its calls fails. Emptied */
int set_state_run(struct batch *b, pid_t tid, const char *what, struct err *e) MUST_CHECK;

#endif
