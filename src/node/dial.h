/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dial.h - reach another node: connect, TLS, HELLO; through a server when it has to be
 *
 * Theory of operation. A node with an address is connected to. A relayed one is reached through a
 * core member that holds a CONTROL connection of it: ourselves, else the head, else the servers in
 * turn; a second TLS session, end to end, then runs in the relay's stream. Either way the
 * certificate at the far end must bear the wanted number. ready() and failed() come from the loop,
 * one of them once, and the dial is gone then.
 */
#ifndef NODE_DIAL_H
#define NODE_DIAL_H

#include "base/err.h"
#include "wire/control.pb-c.h"

struct node;
struct conn;
struct dial;

struct dial_order {
	uint32_t id; /* whom */
	Cmx__Want want;
	uint64_t call; /* ACCEPT */
};

struct dial_ops {
	/* the other side has answered HELLO; the connection is the owner's from now on */
	void (*ready)(void *owner, struct conn *c, const Cmx__Hello *hello);
	/* status: exit status that fits (enum exit_status of ctl: 1, 4, 5, 6) */
	void (*failed)(void *owner, int status, const struct err *why);
};

/**
 * dial_new() - Begin
 * @ret:	Set on success only; valid until ready() or failed()
 *
 * Return: 0, -ENOENT (no such node, or no address), other -errno
 */
int dial_new(struct node *n, const struct dial_order *o, const struct dial_ops *ops, void *owner,
	     struct dial **ret, struct err *e) MUST_CHECK;

/** dial_free() - Give up; neither ready() nor failed() comes */
void dial_free(struct dial *d);

#endif
