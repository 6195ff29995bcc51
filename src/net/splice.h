/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * splice.h - join two connections so that each gets what the other sends
 *
 * Both ways, unread, with bounded buffers: while one side takes nothing the other is not read. The
 * end of one half is passed on as the end of that half; a broken stream breaks the other one too,
 * so that nobody takes half an answer for a whole one. It lasts until both halves have ended and
 * are out of our hands, however long the reader takes, or until the one who asked is gone.
 */
#ifndef NET_SPLICE_H
#define NET_SPLICE_H

#include "net/conn.h"

struct splice;

/**
 * splice_new() - Join
 * @a:		The side that asked; owned by the splice from success on, as @b
 * @b:		The side that answers. What is in the buffers of both is passed on first
 * @over:	Called once, from the loop, when both ways have ended or one side broke; the splice
 *		is gone when it returns. May be NULL
 * @owner:	For @over
 * @ret:	Set on success only; may be NULL
 *
 * Return: 0 or -ENOMEM
 */
int splice_new(struct conn *a, struct conn *b, void (*over)(void *owner), void *owner,
	       struct splice **ret) MUST_CHECK;

/** splice_abort() - Break both at once; over() is not called */
void splice_abort(struct splice *s);

#endif
