/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * batch.h - many injected calls for the price of one stop
 *
 * Theory of operation. A stop and continuation costs about 11 us on one CPU and 190 us across two
 * (docs/MIGRATION.md). So a list of calls and a little loop that executes it are written into
 * memory of the tracee (the area), one thread runs the loop, and stops at its end by a breakpoint.
 * Data that the calls point to, or fill, lies in the area as well.
 *
 * Area: BATCH_CODE_BYTES of code (readable and executable), then data (writable) up to its size.
 * The caller maps it with PROT_READ|WRITE|EXEC, or the code part for itself. The calls are at its
 * upper end.
 *
 * An agent that is killed while the loop runs would leave a thread that is not the program's any
 * more. A batch that heals (batch_heal()) prevents that: what the thread had is kept in the area,
 * and the loop ends in a signal that the program does not handle, sent by the thread to itself.
 * Traced, it stops there. When nobody traces it any more the signal is nothing, and the loop then
 * gives the thread back its registers and mask.
 *
 * Not for a batch: what unmaps or protects the area, ends the thread, or blocks SIGTRAP (set a
 * signal mask by tracee_set_sigmask()). What tracee_inject() says of stops and signals holds here
 * too; a SIGTRAP that somebody sends in that time becomes one of this thread.
 */
#ifndef TRACEE_BATCH_H
#define TRACEE_BATCH_H

#include "base/buf.h"
#include "tracee/tracee.h"

#define BATCH_CODE_BYTES 4096
#define BATCH_SAVED	 2048 /* in the code part, for batch_heal() */

/* a row of 64 bytes, known to x86_64/batch_loop.S */
struct batch_call {
	uint64_t nr, args[6];
	int64_t result;
};

struct batch {
	pid_t pid;     /* whose memory */
	uint64_t area; /* page-aligned */
	uint64_t size;
	struct buf calls; /* struct batch_call each */
	struct buf data;
	size_t n;
	bool code_written;
	bool heals;
};

void batch_init(struct batch *b, pid_t pid, uint64_t area, uint64_t size);
void batch_done(struct batch *b);

/**
 * batch_heal() - From now on the thread goes on by itself if we die
 *
 * All of the area must be writable and executable; the process is in our pid namespace, and its
 * calls are not filtered. Not covered: a program that handles SIGURG, SIGWINCH and SIGCHLD gets a
 * SIGURG then.
 */
void batch_heal(struct batch *b);

/** batch_add() - One more call; Return: its index for batch_result(), -ENOBUFS, -ENOMEM */
int batch_add(struct batch *b, long nr, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3,
	      uint64_t a4, uint64_t a5) MUST_CHECK;

/** batch_data() - Put bytes where calls can point to (p NULL: zeroes); *ret: their address there */
int batch_data(struct batch *b, const void *p, size_t n, uint64_t *ret) MUST_CHECK;

/**
 * batch_run() - Execute the list in a stopped thread, in order, all of it whatever fails
 *
 * The registers are as before at return; signals that come meanwhile are put back. The calls and
 * data stay readable (batch_result(), batch_read()) until batch_clear().
 *
 * Return: 0, -ESRCH, -EFAULT (the area is not mapped), -EINVAL and -EINTR as tracee_inject()
 */
int batch_run(struct batch *b, pid_t tid, struct err *e) MUST_CHECK;

int64_t batch_result(const struct batch *b, int index);

/** batch_read() - What a call has put at an address that batch_data() gave */
int batch_read(const struct batch *b, uint64_t at, void *p, size_t n) MUST_CHECK;

/** batch_first_failure() - Index of the first call with a result in [-4095, -1], or -1 */
int batch_first_failure(const struct batch *b);
void batch_clear(struct batch *b);

#endif
