/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * interrupted.h - a thread was stopped in the middle of a system call: what it is about to do instead
 *
 * Theory of operation. To the kernel our stop is a signal that nobody handles. A call that waits then
 * returns in one of these ways, of which the program must see none:
 *
 *	-512 -513 -514	made again, by the registers
 *	-EINTR		signal(7) has a list of calls that are never made again (epoll_wait, semop, a
 *			socket with a timeout ...); made again all the same, but close(2)
 *	-516		a sleep, poll or futex whose rest is in the kernel, for restart_syscall(2). When
 *			that is stopped, the kernel does not say which call it was: the code before the
 *			instruction does
 *	a count		less than was asked for, of a call that goes on (rest_call.h): the call is under
 *			way, with a part of it done
 *
 * Where a signal of the program's own waits to be delivered, EINTR and the count are because of that
 * and stay.
 */
#ifndef MIGRATE_INTERRUPTED_H
#define MIGRATE_INTERRUPTED_H

#include <sys/user.h>

#include "image/image.h"
#include "migrate/capture.h"

/**
 * interrupted_rewind() - Have it make its call again
 * @tid:	The stopped thread
 * @regs:	As they are; made so that calls may be injected, and that what the thread does when it
 *		is let go with them is right if nobody comes back to it: a part is returned as one
 * @t:		Gets its registers as it is to go on, restart_call, on_signal, done
 *
 * Return: 0 or -errno
 */
int interrupted_rewind(pid_t tid, enum capture_side side, struct user_regs_struct *regs,
		       struct image_thread *t) MUST_CHECK;

#endif
