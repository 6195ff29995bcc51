/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * greeting.h - HELLO: what two nodes tell each other first, and what they learn from it
 */
#ifndef NODE_GREETING_H
#define NODE_GREETING_H

#include <stdbool.h>

#include "base/err.h"
#include "net/identity.h"
#include "os/sock.h"
#include "wire/control.pb-c.h"
#include "wire/frame.h"

struct node;
struct conn;

/** greeting_send() - Send our HELLO */
int greeting_send(struct node *n, struct conn *c, Cmx__Want want, uint32_t target, uint64_t call)
	MUST_CHECK;

/** greeting_refuse() - Send ERROR, end the connection and let it go */
void greeting_refuse(struct conn *c, int status, const char *text);

/**
 * greeting_read() - Understand the other side's HELLO
 * @f:		A frame of it; an ERROR frame is told as -EREMOTE with its text
 * @ret:	Freed by the caller with AUTO_MESSAGE
 * @e:		Reason; says so when the version is too old
 *
 * Return: 0, -EPROTO, -EPROTONOSUPPORT, -EREMOTE
 */
int greeting_read(const struct frame *f, Cmx__Hello **ret, int *ret_status, struct err *e)
	MUST_CHECK;

/**
 * greeting_learn() - Put what a node says of itself into the directory
 * @peer:	Its certificate: number, name and role are from there
 * @seen:	Where its connection came from, or where we reached it; NULL: through a relay
 */
void greeting_learn(struct node *n, const struct identity *peer, const Cmx__Hello *h,
		    const struct sock_addr *seen);

/**
 * greeting_pair() - Finish a PAIR: derive the key, bring each other's revocation list up to date
 * @c:		Both HELLOs are said; owned here from now on
 * @connected:	We are the side that connected
 */
void greeting_pair(struct node *n, struct conn *c, uint32_t id, bool connected,
		   const Cmx__Hello *h);

#endif
