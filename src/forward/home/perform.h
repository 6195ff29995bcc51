/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * perform.h - check a request, make it ready to be executed, and make its answer
 *
 * Theory of operation. This is all of the parasite that looks at hostile bytes; it is here, and
 * inline, so that tests and the fuzzer run the same code without executing anything:
 *
 *	perform_prepare()	bounds, then addresses into place, then zeroes
 *	  ... the call ...
 *	perform_answer()	which bytes to send, in place
 *
 * The frame lies in memory with room for CALL_BYTES_MAX in all. Every length is checked against it,
 * in 64 bits, before anything is written; nothing outside of it is ever touched. What the call
 * itself does with its arguments is not judged here: that is the seccomp filter and the Landlock
 * domain of a job.
 *
 * No C library: no memcpy, no memset, nothing that the compiler could make a call of.
 */
#ifndef FORWARD_HOME_PERFORM_H
#define FORWARD_HOME_PERFORM_H

#include <stdbool.h>
#include <stdint.h>

#include "forward/call.h"

#define PERFORM_INLINE static inline __attribute__((always_inline))

/* words of the buffer need not be aligned */
struct perform_word {
	uint64_t value;
} __attribute__((packed, may_alias));

struct perform_reply { /* what goes out in front of the output */
	uint32_t length;
	struct call_answer answer;
} __attribute__((packed, may_alias));

/* lengths are copied: the call may be made to write into its own request */
struct perform_job {
	struct call_request *request;
	const struct call_fixup *fixups;
	uint8_t *buffer;
	uint32_t buffer_len;
	uint32_t n_fixups, flags, in_len, out_at, out_len, out_fixed;
};

PERFORM_INLINE bool perform_lengths_fit(struct perform_job *q, uint64_t n)
{
	uint64_t head = sizeof(*q->request) + (uint64_t)q->n_fixups * sizeof(struct call_fixup);
	uint64_t end = (uint64_t)q->out_at + q->out_len;
	uint64_t buffer = end > q->in_len ? end : q->in_len;

	if (q->n_fixups > CALL_FIXUPS_MAX || head + q->in_len != n)
		return false;
	if (head + buffer > CALL_BYTES_MAX || q->out_at > q->in_len || q->out_fixed > q->out_len)
		return false;
	if (q->flags & 0xff & ~CALL_FLAGS_ALL)
		return false;
	q->buffer = (uint8_t *)q->request + head;
	q->buffer_len = (uint32_t)buffer;
	return true;
}

PERFORM_INLINE bool perform_fixups_fit(const struct perform_job *job)
{
	uint32_t at;

	for (uint32_t i = 0; i < job->n_fixups; i++) {
		at = job->fixups[i].at;
		if (job->fixups[i].place > job->buffer_len)
			return false;
		if (at & CALL_FIX_ARG ? (at & ~CALL_FIX_ARG) >= 6
				      : (uint64_t)at + sizeof(uint64_t) > job->buffer_len)
			return false;
	}
	return true;
}

PERFORM_INLINE void perform_put_addresses(const struct perform_job *job)
{
	uint64_t address;
	uint32_t at;

	for (uint32_t i = 0; i < job->n_fixups; i++) {
		at = job->fixups[i].at;
		address = (uint64_t)(uintptr_t)job->buffer + job->fixups[i].place;
		if (at & CALL_FIX_ARG)
			job->request->args[at & ~CALL_FIX_ARG] = address;
		else
			((struct perform_word *)(job->buffer + at))->value = address;
	}
}

/**
 * perform_prepare() - Check a request and make it ready
 * @frame:	Aligned to 8 bytes; CALL_BYTES_MAX bytes of memory, and struct perform_reply before
 * @n:		Bytes that have come
 * @job:	Filled; job->request->nr and args are what is to be executed
 *
 * Return: false for a request that is none: nothing was written
 */
PERFORM_INLINE bool perform_prepare(uint8_t *frame, uint32_t n, struct perform_job *job)
{
	const struct call_request *q = (const struct call_request *)(void *)frame;
	uint8_t *p;
	uint64_t left;

	if (n < sizeof(*q) || n > CALL_BYTES_MAX)
		return false;
	job->request = (struct call_request *)(void *)frame;
	job->fixups = (const struct call_fixup *)(void *)(frame + sizeof(*q));
	job->n_fixups = q->n_fixups;
	job->flags = q->flags;
	job->in_len = q->in_len;
	job->out_at = q->out_at;
	job->out_len = q->out_len;
	job->out_fixed = q->flags & CALL_OUT_BY_RESULT ? q->out_fixed : q->out_len;
	if (!perform_lengths_fit(job, n) || !perform_fixups_fit(job))
		return false;
	/* what a call writes in part only must not show what was there before; output that comes
	 * as far as the result says was written as far */
	if (job->out_at + job->out_fixed > job->in_len) {
		p = job->buffer + job->in_len;
		left = job->out_at + job->out_fixed - job->in_len;
		__asm__ volatile("rep stosb" : "+D"(p), "+c"(left) : "a"(0) : "memory");
	}
	perform_put_addresses(job);
	return true;
}

/**
 * perform_answer() - The answer, in place of what is before the output
 * @ret_n:	Bytes to send from the returned address on, the length in front included
 */
PERFORM_INLINE uint8_t *perform_answer(const struct perform_job *q, int64_t result, uint32_t *ret_n)
{
	uint32_t rest = q->out_len - q->out_fixed, scale = CALL_SCALE(q->flags), len;
	uint8_t *out = q->buffer + q->out_at;
	struct perform_reply *reply = (struct perform_reply *)(void *)(out - sizeof(*reply));

	if (result < 0)
		len = q->flags & CALL_OUT_ALWAYS ? q->out_fixed : 0;
	else if ((uint64_t)result < rest && (uint64_t)result * scale < rest)
		len = q->out_fixed + (uint32_t)result * scale;
	else
		len = q->out_len;
	reply->length = (uint32_t)sizeof(reply->answer) + len;
	reply->answer.result = result;
	reply->answer.out_len = len;
	reply->answer.flags = 0;
	*ret_n = (uint32_t)sizeof(*reply) + len;
	return (uint8_t *)reply;
}

#endif
