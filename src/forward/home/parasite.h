/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * parasite.h - the code that executes forwarded calls inside the stub
 *
 * Theory of operation. The deputy copies the code to the start of a region of the stub's memory and
 * gives each thread a slot behind it:
 *
 *	region: | code, PARASITE_CODE_BYTES | slot 0 | slot 1 | ... | slot PARASITE_SLOTS - 1 |
 *	slot:   | context | buffer: one request, then its answer | stack, grows down from the end |
 *
 * A thread is started with rip = code + parasite_entry(), rdi = address of its context, rsp = the
 * end of its slot. From then on: take a frame, check it, execute the call, answer
 *
 *	{ length u32, struct call_request, ... }  ->  { length u32, struct call_answer, ... }
 *
 * with two system calls besides the forwarded one. A request comes when the answer before it was
 * given, never earlier. How frames come and go:
 *
 *	by the socket	a blocking stream socket, for both
 *	by the door	(has_door) the deputy has mapped the slots as well, writes the request into the
 *			buffer, and opens the door; the thread waits there by futex(2). The answer goes
 *			the same way if the deputy waits for it (PARASITE_DOOR_AWAITED), else through
 *			the socket, which the deputy can watch
 *
 * After the end of the stream, or
 * a frame that cannot be one, the process is killed by SIGKILL: its deputy is gone, or does not
 * know what it does, and there may be a guest no more. (A deputy that wants its stub back stops it
 * before it closes the socket.)
 *
 * Where a stopped thread is: phase IDLE: between calls, nothing is lost when it is taken away.
 *CALL: rip < code + parasite_call_begin(): not made; == begin: about to be made, or interrupted in
 *it and rewound; == parasite_call_end(): rax has the result (or -512 and the like). DONE: context
 * result has it, its answer is not sent in whole.
 */
#ifndef FORWARD_HOME_PARASITE_H
#define FORWARD_HOME_PARASITE_H

#include <stddef.h>
#include <stdint.h>

#include "forward/call.h"

#define PARASITE_CODE_BYTES    4096
#define PARASITE_SLOT_BYTES    327680
#define PARASITE_SLOTS	       256
#define PARASITE_CONTEXT_BYTES 4096
#define PARASITE_REGION_BYTES  (PARASITE_CODE_BYTES + (uint64_t)PARASITE_SLOTS * PARASITE_SLOT_BYTES)

/* requests to the parasite itself; only the deputy may make them */
#define PARASITE_CLONE 0x10000u /* args[0]: context, prepared; result: the new thread's id */
#define PARASITE_EXIT  0x10001u /* the thread ends; no answer */

/*
 * The rest of a call. A thread goes home in the middle of a call that has done a part of its work
 * (src/migrate/rest.h): it makes a call for the rest at code + parasite_rest(), with r12 = address of
 * a struct parasite_rest and every other register but rip and the arguments as the program has it.
 * Then the code adds the two parts, says so with a byte to the socket, restores the registers and
 * jumps into the program.
 *
 * Where a stopped thread is: rip == code + parasite_rest(): the call is not made, or rewound; ==
 * parasite_rest_end(): just made, rax has its result; up to parasite_rest_out(): on the way out.
 */
struct parasite_rest {
	uint64_t magic;		/* PARASITE_REST */
	int64_t done;		/* before; and in the end the result of both */
	int32_t fd;		/* gets the byte, and belongs to nobody afterwards */
	volatile uint32_t gone; /* 1: the thread has nothing to do here any more */
	uint64_t rdi, rsi, rdx, r10, r8, r9, r12, rip; /* the program's */
	uint64_t nr;				       /* of its call; rip is behind that */
	uint32_t slot, n_slots; /* where this is, and how many threads had a rest */
	uint64_t cookie;	/* of this move: another one may be at the same place soon */
};

#define PARASITE_REST 0x7473657266736f63ULL /* "cosfrest" */

enum parasite_phase {
	PARASITE_IDLE = 0,
	PARASITE_CALL = 1,     /* before or in the call */
	PARASITE_DONE = 2,     /* after it; the answer is on its way */
	PARASITE_PREPARED = 3, /* set by the deputy: a slot for PARASITE_CLONE */
	PARASITE_BROKEN = 4,   /* about to be killed */
	PARASITE_GONE = 5,     /* PARASITE_EXIT: the thread is about to end */
};

struct parasite_context { /* at the start of a slot; the deputy fills fd, first_slot, n_slots */
	int32_t fd;
	volatile uint32_t phase; /* enum parasite_phase */
	uint64_t first_slot;	 /* address of slot 0: where contexts for PARASITE_CLONE may be */
	uint32_t n_slots, zero;
	volatile int64_t result;     /* of the last call */
	volatile uint64_t calls;     /* executed and answered */
	volatile uint32_t nr;	     /* of the call under way, or the last one */
	uint32_t has_door;	     /* set by the deputy: 0 or 1 */
	uint32_t door;		     /* enum parasite_door; a futex that both wait at */
	volatile uint32_t answer_at; /* AWAITED: offset of the answer in the slot */
};

/* where a request, with its length in front, is put into a slot; aligned for the struct behind that */
#define PARASITE_FRAME_AT (PARASITE_CONTEXT_BYTES + sizeof(uint32_t))

enum parasite_door {
	PARASITE_DOOR_EMPTY = 0,   /* no request; the parasite waits for another value */
	PARASITE_DOOR_CALL = 1,	   /* a request; the answer goes through the socket */
	PARASITE_DOOR_AWAITED = 2, /* a request; the deputy waits for another value */
};

/** parasite_code() - The code, to be copied as it is */
const void *parasite_code(size_t *ret_len);

/* offsets in the code */
uint32_t parasite_entry(void);
uint32_t parasite_call_begin(void); /* the syscall instruction of the forwarded call */
uint32_t parasite_call_end(void);   /* behind it */
uint32_t parasite_rest(void);
uint32_t parasite_rest_end(void);
uint32_t parasite_rest_out(void);

#endif
