/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * build.h - make a process out of an image, at the host
 *
 * Theory of operation. The agent is pid 1 of new namespaces. It makes a child with the pid of the
 * process at home (clone3 with set_tid), seizes it, and has it turn itself into the process by
 * injected calls: forget everything of the agent's, map what the image says, take over signal
 * actions, make the threads with their ids. Pages are written from outside while it is stopped. The
 * filter comes last; from then on the process can make only calls that concern nobody else.
 *
 * Any failure leaves a child that build_abort() ends: nothing of it has run a single instruction
 * of the program.
 */
#ifndef MIGRATE_BUILD_H
#define MIGRATE_BUILD_H

#include <linux/filter.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "image/image.h"
#include "migrate/box.h"
#include "tracee/batch.h"

struct build {
	pid_t pid;     /* 0: none */
	int mem;       /* /proc/PID/mem */
	uint64_t insn; /* a syscall instruction in the region */
	int fill_dev;  /* /dev/userfaultfd, ours and its own until it is finished; -1: none */
	bool no_huge;  /* build_no_huge() was called */
	struct batch batch;
};

/* what the process may still do, and the descriptor by which its other calls are heard of */
struct build_filter {
	const struct sock_filter *code;
	unsigned short n;
};

void build_init(struct build *b);

/**
 * build_memory() - The child and its mappings, all empty; pages may then be written to b->mem
 * @box:	The box we are in; agent_uid 0: none, for tests
 */
int build_memory(struct build *b, const struct guest_box *box, const struct image *m, struct err *e)
	MUST_CHECK;

/** build_change() - Other mappings before it is finished; what is new is empty */
int build_change(struct build *b, struct image *was, const struct image *m, struct err *e)
	MUST_CHECK;

/**
 * build_no_huge() - From now on one page comes where one is written, until build_finish()
 *
 * Else the kernel may make a huge page there, and what should be missed is zeroes.
 */
int build_no_huge(struct build *b, struct err *e) MUST_CHECK;

/**
 * build_finish() - Everything else, after the pages; the process is ready and stopped
 * @f:		Its filter
 * @ret_notify:	Listener of the filter; the caller's
 *
 * Return: 0 or -errno
 */
int build_finish(struct build *b, const struct image *m, const struct build_filter *f,
		 int *ret_notify, struct err *e) MUST_CHECK;

/** build_abort() - Kill and forget the child, if there is one */
void build_abort(struct build *b);

#endif
