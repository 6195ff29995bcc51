/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sleep_on.h - a sleep or poll that began away goes on, at home, for the time that is left of it
 *
 * Theory of operation. To make the call again would sleep the whole time anew. The kernel can go on
 * with the rest of a sleep (restart_syscall(2)), but only of one that it has begun itself. So the
 * thread is made to begin one, for what is left, with an interruption waiting: that says -516 at
 * once, and the kernel has the rest. Then the registers are set to ask for it. Where the rest of a
 * sleep is written when a signal ends it is the program's own place.
 */
#ifndef MIGRATE_SLEEP_ON_H
#define MIGRATE_SLEEP_ON_H

#include "migrate/stub.h"

/**
 * sleep_on() - Set a stopped thread, which has its registers already, to sleep on
 * @s:		Has a region
 * @t:		t->wait_until_ns is not 0. The thread executes nothing that waits before it is let go
 *
 * Return: 0; -ENOTSUP for a call that is none of these: it begins anew; -errno
 */
int sleep_on(struct stub *s, const struct image_thread *t) MUST_CHECK;

#endif
