/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * call.h - one system call on its way: the request and its answer
 *
 * Theory of operation. A request says which call to execute and needs no knowledge of calls to be
 * executed. Its buffer begins with input bytes and goes on with room for output; a fix-up writes
 * the address of a place in the buffer into an argument, or into a word of the input (the parts of
 * an iovec, the name in a msghdr). What an argument means is known at the host only.
 *
 *	request:  struct call_request, n_fixups x struct call_fixup, input bytes
 *	answer:   struct call_answer, output bytes
 *
 * All of it is little-endian and laid out as below on both sides (x86-64 only). The executing side
 * checks every offset against the lengths before it uses any: the request comes from a host that
 * may be hostile. These structs are also used by the parasite, which has no C library: this header
 * includes nothing but stdint.h.
 */
#ifndef FORWARD_CALL_H
#define FORWARD_CALL_H

#include <stdint.h>

#define CALL_BYTES_MAX	245760 /* of request or answer as a whole: a frame, with room to spare */
#define CALL_FIXUPS_MAX 2100   /* UIO_MAXIOV parts in and out, a msghdr and some */
#define CALL_CHUNK	131072 /* of a long read or write: the marshaller makes several of it */

struct call_fixup {
	uint32_t at; /* CALL_FIX_ARG | argument number, or offset of an 8-byte word of the input */
	uint32_t place; /* offset in the buffer: [0, in_len + out_len] */
};

#define CALL_FIX_ARG 0x80000000u

enum call_flags {
	CALL_OUT_BY_RESULT = 1, /* only as many output bytes as the result says are sent back */
	CALL_OUT_ALWAYS =
		2, /* output is sent back even when the call failed (the rest of a sleep) */
};

struct call_request {
	uint32_t nr;
	uint16_t flags;	   /* enum call_flags */
	uint16_t n_fixups; /* at most CALL_FIXUPS_MAX */
	uint64_t args[6];
	uint32_t in_len;
	uint32_t out_len; /* zeroed before the call */
};

struct call_answer {
	int64_t result; /* as the kernel gave it: -errno, also -512 and the like */
	uint32_t out_len;
	uint32_t zero;
};

#endif
