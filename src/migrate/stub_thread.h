/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stub_thread.h - one thread of a stub: its slot, its socket, its parasite. Private to stub*.c */
#ifndef MIGRATE_STUB_THREAD_H
#define MIGRATE_STUB_THREAD_H

#include "migrate/stub.h"

/** stub_thread_new() - A row for a thread, with a slot of its own; NULL: no memory, no slot */
struct stub_thread *stub_thread_new(struct stub *s, pid_t tid) MUST_CHECK;
void stub_thread_free(struct stub_thread *t);
void stub_thread_remove(struct stub_thread *t);
struct stub_thread *stub_thread_find(const struct stub *s, pid_t tid);

/**
 * stub_thread_connect() - Make its socket
 * @t:		Its there and sock are set
 * @by:		The stopped thread that makes the calls
 */
int stub_thread_connect(struct stub_thread *t, pid_t by, struct err *e) MUST_CHECK;

/** stub_thread_context() - Write the context of its parasite into its slot */
int stub_thread_context(const struct stub_thread *t) MUST_CHECK;

/** stub_thread_enter() - Set the registers of a stopped thread to the beginning of its loop */
int stub_thread_enter(const struct stub_thread *t) MUST_CHECK;

/** stub_thread_interrupted() - It stopped in the middle of a call: see to it that the loop hears */
enum stub_call_state {
	STUB_CALL_NONE,	  /* it has none, or it has been executed */
	STUB_CALL_BEFORE, /* about to make it: try again in a moment */
	STUB_CALL_ENDED,  /* it has, or will have, a result now */
};
int stub_thread_interrupted(struct stub_thread *t, enum stub_call_state *ret) MUST_CHECK;

/** stub_close_stale() - Close what threads that have ended have left; @by: stopped, makes the calls */
int stub_close_stale(struct stub *s, pid_t by) MUST_CHECK;

/** stub_leave_nothing() - Close and unmap what is ours; all threads are stopped */
void stub_leave_nothing(struct stub *s);

#endif
