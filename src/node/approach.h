/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * approach.h - at home: reach a node with OPEN MOVE and get a transport for a deputy
 */
#ifndef NODE_APPROACH_H
#define NODE_APPROACH_H

#include "base/err.h"
#include "wire/control.pb-c.h"

struct node;
struct transport;
struct approach;

struct approach_ops {
	/* OPEN_OK came; t is prepared, the owner's, and to be settled in this handler */
	void (*ready)(void *owner, struct transport *t);
	/* status: exit status that fits; the host's own words or what kept us from reaching it */
	void (*failed)(void *owner, int status, const struct err *why);
};

/**
 * approach_new() - Begin
 * @id:		The host
 * @m:		The request, packed at once
 * @ret:	Set on success only; gone when ready() or failed() is called
 */
int approach_new(struct node *n, uint32_t id, const Cmx__Open *m, const struct approach_ops *ops,
		 void *owner, struct approach **ret, struct err *e) MUST_CHECK;
void approach_free(struct approach *a);

#endif
