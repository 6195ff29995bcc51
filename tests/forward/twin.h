/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * twin.h - make a call natively, or through marshaller, bytes and parasite, and note what it did
 *
 * The parasite runs in a thread of the same process, out of a copy of its code, as in a stub; so
 * both ways see the same files and memory. A scenario is run once each way, and its notes must be
 * the same: the result of each call and every byte of the arena.
 */
#ifndef TESTS_FORWARD_TWIN_H
#define TESTS_FORWARD_TWIN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "forward/away/marshal.h"
#include "forward/home/parasite.h"

#define TWIN_ARENA	(4U << 20) /* memory that calls are made on */
#define TWIN_RESERVED	900	   /* first descriptor that does not exist for the program */
#define TWIN_RESERVED_N 10

/* the C library's header does not know all numbers */
enum twin_number {
#define CALL(nr, name, class_, spec, why) TWIN_##name = (nr),
#include "forward/table/syscalls.def"
#undef CALL
};

struct twin {
	bool away;
	bool alone;	       /* without a parasite: the whole process is away, or is not */
	uint8_t *arena, *hole; /* hole: a page that is not there, right behind the arena */
	struct buf notes;
	unsigned int differences;
	bool seen[512];	    /* calls that were made */
	unsigned int sent;  /* requests of the last call */
	int64_t began_step; /* of the last call: the step that marshal_begin() gave */

	struct marshal *marshal;
	struct buf request;
	uint8_t *region, *answer;
	int socket;
	volatile pid_t tid; /* of the parasite's thread; 0 when it has ended */
	struct parasite_context *context;
};

void twin_start(struct twin *t);
void twin_stop(struct twin *t);

/** twin_run() - Run a scenario both ways and hold the notes against each other */
void twin_run(struct twin *t, const char *name, void (*scenario)(struct twin *));

/** twin_start_alone() - For a process that is moved as a whole; twin_notes(): of a scenario */
void twin_start_alone(struct twin *t);
char *twin_notes(struct twin *t, void (*scenario)(struct twin *));
/** twin_compare() - Count and print the first difference; both texts are taken apart */
void twin_compare(struct twin *t, const char *name, char *a, char *b);

/** twin_call() - Make a call and note its result and the arena */
int64_t twin_call(struct twin *t, const char *name, uint32_t nr, const uint64_t args[6]);

/** twin_quiet() - The same without a note: its outcome differs from run to run */
int64_t twin_quiet(struct twin *t, uint32_t nr, const uint64_t args[6]);

/** twin_send() - Bytes of a request to the parasite, and its answer; Return: length */
size_t twin_send(struct twin *t, const void *request, size_t n);

/* what a scenario puts into the arena; twin_text() and twin_bytes() give the address */
uint64_t twin_text(struct twin *t, size_t offset, const char *s);
uint64_t twin_bytes(struct twin *t, size_t offset, const void *p, size_t n);
/** twin_forget() - What differs from run to run: not for the notes */
void twin_forget(struct twin *t, size_t offset, size_t n);
/** twin_scratch() - Make the directory of this run's files; twin_enter_scratch(): into it */
void twin_scratch(void);
void twin_enter_scratch(void);
void twin_leave_scratch(void);

#define AT(offset)	 ((void *)(t->arena + (offset)))
#define ARGS(...)	 ((const uint64_t[6]){ __VA_ARGS__ })
#define P(p)		 ((uint64_t)(uintptr_t)(p))
#define CALL_(name, ...) twin_call(t, #name, TWIN_##name, ARGS(__VA_ARGS__))
#define QUIET(name, ...) twin_quiet(t, TWIN_##name, ARGS(__VA_ARGS__))

#endif
