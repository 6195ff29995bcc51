/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tidy.h - take away what a deputy that was killed before RUN has left in its process */
#ifndef MIGRATE_TIDY_H
#define MIGRATE_TIDY_H

#include <sys/types.h>

#include "base/err.h"
#include "loop/loop.h"

/**
 * tidy() - Find our region in a process, close the sockets it names, unmap it
 * @l:	For the stub; nothing runs in it
 *
 * Return: 1 it is gone now, 0 there was none, -EBUSY a thread is in it for long, other -errno: it is
 * as it was
 */
int tidy(struct loop *l, pid_t pid, struct err *e) MUST_CHECK;

#endif
