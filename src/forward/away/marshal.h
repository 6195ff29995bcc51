/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * marshal.h - calls of a process that is away, made into requests, and answers into its memory
 *
 * Theory of operation. One struct marshal per thread of the guest, for a thread makes one call at a
 * time. The owner gets a trapped call and begins:
 *
 *	marshal_begin() --SEND--> request goes home ... answer --> marshal_answer() --SEND-->
 *(again) |                                                        |
 *		+------------------ RESULT: give it to the thread <------+
 *		+------------------ RETURN: bring the process home
 *
 * No input or output happens here but through the two functions of struct marshal_memory, and time
 * is an argument. The memory may change under the marshaller (other threads run): each word is read
 * once.
 *
 * Promises: a pointer that cannot be read or written is passed as one that cannot be at home, so
 * that errors come from home's kernel, in its order. What is written is there before the result
 * is. A call cut into pieces gives what the pieces before an error or interruption did. Memory
 * that can be read but not written is found only when the answer is there: then it is EFAULT, and
 * the call has happened.
 */
#ifndef FORWARD_AWAY_MARSHAL_H
#define FORWARD_AWAY_MARSHAL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "forward/call.h"

struct marshal_memory {
	void *owner;
	/* as many bytes as there are from the start, at least 1 (n > 0), or -EFAULT */
	ssize_t (*read_some)(void *owner, uint64_t at, void *p, size_t n);
	/* all of it (0) or -EFAULT */
	int (*write)(void *owner, uint64_t at, const void *p, size_t n);
};

enum marshal_step {
	MARSHAL_SEND,	/* the request is to be executed at home, then marshal_answer() */
	MARSHAL_RESULT, /* *result is what the call returns (also -512 and the like) */
	MARSHAL_RETURN, /* cannot be made here: the process must come home with the call not made */
	MARSHAL_CUT,	/* *result of it was done when a stop ended it; marshal_again() goes on */
};

struct marshal;
struct marshal_saved;

/**
 * marshal_new() - For one thread
 * @memory:		Of the process; the struct is copied
 * @first_reserved_fd, @last_reserved_fd: Descriptors of the parasite, which do not exist for the
 *			program (EBADF). They still show in /proc/self/fd
 *
 * Return: NULL when memory is out
 */
struct marshal *marshal_new(const struct marshal_memory *memory, uint32_t first_reserved_fd,
			    uint32_t last_reserved_fd) MUST_CHECK;
void marshal_free(struct marshal *m);

/**
 * marshal_begin() - A call was trapped
 * @m:		The thread's; an unfinished call of before is forgotten
 * @nr, @args:	The call
 * @now_ns:	CLOCK_MONOTONIC of the owner
 * @request:	SEND: reset and filled (at most CALL_BYTES_MAX)
 * @result:	RESULT: set
 *
 * A VIRTUAL call that has arguments in its row is forwarded like a HOME one; whether it is to be,
 * the owner decides before (table_judge()). LOCAL and SPECIAL ones give RETURN.
 *
 * Return: enum marshal_step, or -ENOMEM
 */
int marshal_begin(struct marshal *m, uint32_t nr, const uint64_t args[6], uint64_t now_ns,
		  struct buf *request, int64_t *result) MUST_CHECK;

/**
 * marshal_resume() - Likewise, of a call that has done something before it came here
 * @done:	Bytes (or messages) that are done; 0 is marshal_begin()
 *
 * Only what marshal_resumes() says; else as if nothing was done. The result counts @done as well.
 */
int marshal_resume(struct marshal *m, uint32_t nr, const uint64_t args[6], uint64_t done,
		   uint64_t now_ns, struct buf *request, int64_t *result) MUST_CHECK;

/**
 * marshal_answer() - The answer to the request is there
 *
 * MARSHAL_CUT: the call was stopped when it had done a part, and would have gone on. Whether a
 * program's own signal was the reason knows the owner: then *result, the part, is the call's result;
 * else marshal_again() does the rest.
 *
 * Return: MARSHAL_SEND (one more request), MARSHAL_RESULT, MARSHAL_CUT, MARSHAL_RETURN (only before
 * anything was changed), -EPROTO for an answer that cannot be one, -ENOMEM
 */
int marshal_answer(struct marshal *m, const void *answer, size_t n, uint64_t now_ns,
		   struct buf *request, int64_t *result) MUST_CHECK;

/**
 * marshal_interrupted() - Does this result in an answer mean that a signal has ended the call?
 *
 * True for -512, -513, -514, -516, and for -EINTR: some calls (epoll_wait, semop, sockets with a
 * timeout) are never restarted by the kernel, even if no handler runs. Then
 *
 * - a signal is there for the thread, or the process goes home: marshal_answer(), which writes the
 *   rest of a sleep or select and gives what the guest's kernel is to see: -512, -513, -514 as
 *   they are; -516 becomes -EINTR for a sleep, else -514; or MARSHAL_CUT with the count of what was
 *   done before;
 * - there is none: marshal_again(), without marshal_answer().
 *
 * The owner may make such an answer itself, without output, for a call that was not made.
 */
bool marshal_interrupted(int64_t result);

/** marshal_stopped() - Likewise, of the answer to the call last begun; a close is never repeated */
bool marshal_stopped(const struct marshal *m, const struct call_answer *a);

/**
 * marshal_save() - What is known of the call now, so that the next step can be taken once more
 *
 * For an owner whose memory may say "not yet": it lets a step fail, forgets what came of it by
 * marshal_restore(), and takes the step again when the memory is there. What the step has written
 * already is then written again, the same.
 *
 * Return: NULL when memory is out
 */
struct marshal_saved *marshal_save(const struct marshal *m) MUST_CHECK;

/** marshal_restore() - Back to it; @saved may be used again */
void marshal_restore(struct marshal *m, const struct marshal_saved *saved);
void marshal_forget(struct marshal_saved *saved);

/**
 * marshal_again() - Make the request of the same call again
 *
 * Of what is done already only the rest is asked for. A time to wait is shortened by what has passed
 * since marshal_begin(). Arguments are read again from memory, as the kernel does it.
 *
 * Return: MARSHAL_SEND; also MARSHAL_RESULT and RETURN as marshal_begin(); -ENOMEM
 */
int marshal_again(struct marshal *m, uint64_t now_ns, struct buf *request, int64_t *result)
	MUST_CHECK;

/**
 * marshal_repeat() - The thread makes a call that marshal_answer() has ended for a stop once more
 * @nr, @args:	Its call
 *
 * As marshal_again(), if it is that very call: its time to wait goes on to run. Else -EINVAL, and
 * nothing was done.
 */
int marshal_repeat(struct marshal *m, uint32_t nr, const uint64_t args[6], uint64_t now_ns,
		   struct buf *request, int64_t *result) MUST_CHECK;

/**
 * marshal_rest() - What is left of a time to wait that is a value (poll, epoll_wait)
 * @ret_arg:	Argument that holds it
 * @ret_value:	Milliseconds by the owner's clock, rounded up
 *
 * Return: false: the call waits for ever or not at all, or the time is in memory: select and ppoll
 * write it back there, a sleep must be finished by home's kernel
 */
bool marshal_rest(const struct marshal *m, uint64_t now_ns, int *ret_arg, uint64_t *ret_value);

/**
 * marshal_sleep_rest() - What is left of a relative sleep or a poll
 *
 * Return: false: it is none, or it waits for ever
 */
bool marshal_sleep_rest(const struct marshal *m, uint64_t now_ns, uint64_t *ret_ns);

/**
 * marshal_wait_mask() - The signal mask that the call waits under (ppoll, pselect6, epoll_pwait)
 *
 * It is not sent home: which signals reach a thread is the owner's business.
 *
 * Return: true and *ret set, when the call has one
 */
bool marshal_wait_mask(const struct marshal *m, uint64_t *ret);

/** marshal_call() - The arguments of the call last begun, and its number */
uint32_t marshal_call(const struct marshal *m, uint64_t args[6]);

#endif
