/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * call.h - one system call on its way: the request and its answer
 *
 * Theory of operation. A request says which call to execute and needs no knowledge of calls to be
 * executed. Its buffer begins with input bytes; output is any part of the buffer, also of the
 * input, so that what a call reads and writes goes both ways. A fix-up writes the address of a
 * place in the buffer into an argument, or into a word of the buffer (the parts of an iovec, the
 * name in a msghdr). What an argument means is known at the host only.
 *
 *	request:  struct call_request, n_fixups x struct call_fixup, input bytes
 *	answer:   struct call_answer, output bytes
 *
 *	buffer:   0 ......... out_at ......... in_len ........... out_at + out_len
 *	          | input     | both           | output             |
 *	                      |<- out_fixed ...... ->|<- by result ->|
 *
 * The first out_fixed bytes of output are sent back when the call did not fail (or always, if so
 * flagged). With CALL_OUT_BY_RESULT the others follow as far as the result says, each of its units
 * being CALL_SCALE bytes: a read of 64 KiB that found 10 bytes sends 10. Without the flag all output
 * is fixed and out_fixed is not looked at.
 *
 * All of it is little-endian and laid out as below on both sides (x86-64 only). The executing side
 * checks every offset against the lengths before it uses any: the request comes from a host that
 * may be hostile. These structs are also used by the parasite, which has no C library: this header
 * includes nothing but stdint.h.
 */
#ifndef FORWARD_CALL_H
#define FORWARD_CALL_H

#include <stdint.h>

#define CALL_BYTES_MAX	245760 /* of request with room for its output, or of answer: a frame */
#define CALL_FIXUPS_MAX 2100   /* UIO_MAXIOV parts in and out, a msghdr and some */

/*
 * Of a long read or write: the marshaller makes several of it. The longest message of a unix socket
 * with buffers as they are by default (212992) goes in one piece: a message must not be cut.
 */
#define CALL_CHUNK 229376

struct call_fixup {
	uint32_t at;	/* CALL_FIX_ARG | argument number, or offset of an 8-byte word */
	uint32_t place; /* offset in the buffer: at most its length */
};

#define CALL_FIX_ARG 0x80000000u

enum call_flags {
	CALL_OUT_BY_RESULT = 1,
	CALL_OUT_ALWAYS = 2, /* the fixed part is sent back even when the call failed */
	CALL_FLAGS_ALL = 3,
};

struct call_request {
	uint32_t nr;
	uint16_t flags;	   /* enum call_flags | bytes of a unit of the result << 8 (0 means 1) */
	uint16_t n_fixups; /* at most CALL_FIXUPS_MAX */
	uint64_t args[6];
	uint32_t in_len;
	uint32_t out_at; /* at most in_len; what is of the fixed part behind the input is zeroed */
	uint32_t out_len;
	uint32_t out_fixed; /* at most out_len; CALL_OUT_BY_RESULT only */
};

#define CALL_SCALE(flags) ((flags) >> 8 ? (uint32_t)(flags) >> 8 : 1U)

/*
 * A result that no kernel gives: the call was not made, for away it would show that the process is
 * away. The process comes home and makes it there.
 */
#define CALL_COME_HOME (-4000)

enum call_answer_flags {
	/*
	 * The agent at home has stopped the thread in this call: a count that is less than what was
	 * asked for, or EINTR, may be because of that
	 */
	CALL_CUT = 1,
	CALL_ANSWER_FLAGS_ALL = 1,
};

struct call_answer {
	int64_t result; /* as the kernel gave it: -errno, also -512 and the like; CALL_COME_HOME */
	uint32_t out_len;
	uint32_t flags; /* enum call_answer_flags; the parasite's are 0 */
};

#endif
