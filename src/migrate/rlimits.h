/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rlimits.h - resource limits (getrlimit(2)) of a process that is in two places
 *
 * Theory of operation. A limit holds where the kernel looks at it:
 *
 *	at the guest	CPU, DATA, STACK, MEMLOCK, AS: memory and computing are there
 *	at both ends	NOFILE: home's kernel looks at it, and our descriptors must not be in its way
 *	at home		all others: files, locks, signals and threads are there
 *
 * The image takes all of them along. Of the first two kinds the guest's agent keeps what the program
 * has set, and answers it; when the process comes home they become those of home's kernel again
 * (rlimits_put_back()). What the host's kernel is told allows for our region (guest_limits.c).
 *
 * Our region is memory of the process at home, where the program must not be refused any for it; and the
 * way home needs more than the program has, for a moment. So CPU, DATA and AS are lifted
 * at home for the injected call that maps the region, and then from RUN on, and so is the number of
 * descriptors, for ours. Nobody runs the program there meanwhile. An agent with CAP_SYS_RESOURCE lifts them
 * altogether; without it the process itself lifts its soft limits up to the hard ones, and what
 * these still bind (image.limits_bound) the program must share with our region while it is away.
 */
#ifndef MIGRATE_RLIMITS_H
#define MIGRATE_RLIMITS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "image/image.h"
#include "tracee/batch.h"

enum rlimits_owner {
	RLIMITS_OF_HOME,
	RLIMITS_OF_GUEST,
	RLIMITS_OF_BOTH,
};

/** rlimits_owner() - Where a limit holds while its process is away */
enum rlimits_owner rlimits_owner(uint64_t which);

/** rlimits_known() - Does an image tell them? One from an older node does not */
bool rlimits_known(const struct image *m);

/** rlimits_home_files() - The hard limit of descriptors that home's kernel has while it is away */
uint64_t rlimits_home_files(const struct image *m);

/** rlimits_may_raise() - Have we CAP_SYS_RESOURCE? */
bool rlimits_may_raise(void);

/** rlimits_read() - Limits and CPU time of a process that is at home, into its image */
int rlimits_read(pid_t pid, struct image *m, struct err *e) MUST_CHECK;

/**
 * rlimits_lift() - Lift limits of memory, CPU time and descriptors of a stopped process
 * @insn:	A syscall instruction in it
 * @m:		Has its limits, and the numbers of our descriptors; gets limits_bound
 *
 * What is not limited is not touched. Return: 0 or -errno
 */
int rlimits_lift(pid_t pid, uint64_t insn, struct image *m, struct err *e) MUST_CHECK;

/** rlimits_drop() - Undo rlimits_lift() */
void rlimits_drop(pid_t pid, uint64_t insn, const struct image *m);

/**
 * rlimits_put_back() - The process sets its own, as an image of the way home says
 * @m:		The image; one that tells none, or higher ones than it may have, counts as @before
 * @before:	As it left
 *
 * What somebody has lowered from outside meanwhile stays so. Return: 0 or -errno of the batch
 */
int rlimits_put_back(struct batch *b, pid_t pid, const struct image *m, const struct image *before,
		     struct err *e) MUST_CHECK;

#endif
