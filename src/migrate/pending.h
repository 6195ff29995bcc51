/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pending.h - signals that wait in the kernel to be delivered: read here, queued again there */
#ifndef MIGRATE_PENDING_H
#define MIGRATE_PENDING_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "tracee/batch.h"

#define PENDING_MAX 65536 /* more than RLIMIT_SIGPENDING commonly allows */

struct pending {
	pid_t tid;	 /* 0: of the process */
	uint64_t number; /* of the SIGNAL frame that has told it; 0: none */
	siginfo_t info;
};

/**
 * pending_read() - Those of a stopped thread, or of its process (PTRACE_PEEKSIGINFO)
 * @ret:	The caller's, with free()
 *
 * They stay pending. Return: 0 or -errno
 */
int pending_read(pid_t tid, bool shared, struct pending **ret, size_t *ret_n, struct err *e)
	MUST_CHECK;

/**
 * pending_take() - Take those of one number out of the kernel, of a stopped thread or its process
 * @ret, @ret_n:	Added to; the caller's, with free()
 *
 * By an injected call of @tid; the batch is emptied. Return: 0 or -errno
 */
int pending_take(struct batch *b, pid_t tid, int signo, struct pending **ret, size_t *ret_n,
		 struct err *e) MUST_CHECK;

/**
 * pending_put_back() - Queue signals that are older than what waits in the kernel by now
 * @list, @n:	In their order; those with a number that is not above @taken are left out
 *
 * What waits in the kernel already and might be of the same timer comes behind them; of two signals of one
 * timer there is one, as natively. The batch is emptied.
 */
int pending_put_back(struct batch *b, pid_t pid, const struct pending *list, size_t n,
		     uint64_t taken, struct err *e) MUST_CHECK;

/**
 * pending_queue() - Have a process send itself a signal with just this siginfo
 *
 * Only itself may give any si_code, rt_sigqueueinfo(2): so the call is injected (into the thread it
 * is for; the batch is emptied).
 */
int pending_queue(struct batch *b, pid_t pid, const struct pending *p, struct err *e) MUST_CHECK;

#endif
