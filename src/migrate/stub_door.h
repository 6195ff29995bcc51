/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stub_door.h - memory that deputy and stub have in common. Private to stub*.c and rest.c */
#ifndef MIGRATE_STUB_DOOR_H
#define MIGRATE_STUB_DOOR_H

#include "migrate/stub.h"

#define STUB_DOOR_NAME "comosix-door" /* of the file, while it is open in the process */

/**
 * stub_share() - Make the slots memory of both
 * @s:		Its region is mapped; s->view is set if that was possible, else the sockets do it all
 *
 * Return: 0, or -errno: the process cannot be worked with
 */
int stub_share(struct stub *s, struct err *e) MUST_CHECK;

/** stub_unshare() - The slots are the process's own again, and empty; all threads are stopped */
void stub_unshare(struct stub *s);

/** stub_view_end() - We see them no more; they stay mapped there */
void stub_view_end(struct stub *s);

/**
 * stub_door_call() - Put a request there and wake the thread
 * @n:		At most CALL_BYTES_MAX
 * @await:	stub_door_await() follows
 */
void stub_door_call(struct stub_thread *t, const void *request, uint32_t n, bool await);

/**
 * stub_door_await() - Wait for the answer to the request just put there, for a moment
 *
 * Return: 1 it is in t->in, 0 it will come through the socket, -EPROTO: its memory is broken, -ENOMEM
 */
int stub_door_await(struct stub_thread *t) MUST_CHECK;

#endif
