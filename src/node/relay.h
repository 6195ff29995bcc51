/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * relay.h - nodes that have outgoing connections only
 *
 * Theory of operation. Such a node keeps a CONTROL connection to each core member it speaks with;
 * gossip goes through it as GOSSIP frames. To reach the node somebody asks a core member that holds
 * a CONTROL connection of it (RELAY). That member sends RELAY_CALL with a number through it, the
 * node connects (ACCEPT, same number), and the member joins the two streams. Inside runs a TLS
 * session from end to end: the relay sees ciphertext. Both ends of CONTROL are here: the core
 * member's (held) and the node's own.
 */
#ifndef NODE_RELAY_H
#define NODE_RELAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "wire/control.pb-c.h"

struct node;
struct conn;
struct relay;
struct relay_wait;

#define RELAY_WAITS_MAX	   256 /* calls without an answer yet */
#define RELAY_ACCEPTS_MAX  64  /* calls being answered */
#define RELAY_CONTROLS_MAX 4096
#define RELAY_CALL_MS	   5000

int relay_new(struct node *n, struct relay **ret) MUST_CHECK;
void relay_free(struct relay *r);

/** relay_control() - A CONTROL connection is up, HELLOs said; owned here from now on */
void relay_control(struct relay *r, struct conn *c, const Cmx__Hello *h);

/** relay_holds() - Is there a CONTROL connection with this node? */
bool relay_holds(const struct relay *r, uint32_t id);

/** relay_send() - A gossip payload through CONTROL; -ENOTCONN, -ENOBUFS (dropped) */
int relay_send(struct relay *r, uint32_t id, const void *p, size_t n) MUST_CHECK;

/** relay_send_statement() - The revocation list to all CONTROL connections */
void relay_send_statement(struct relay *r, const void *p, size_t n);

/**
 * relay_call() - Ask a node that we hold to call back
 * @target:	The node
 * @from:	Who wants it
 * @fn:		Called once from the loop: with the node's stream (HELLO and OPEN_OK are said, the
 *		stream is raw now; fn owns it), or NULL and why
 * @ret:	For relay_wait_free(); dead when fn is called
 *
 * Return: 0, -ENOTCONN, -EBUSY, -ENOMEM
 */
int relay_call(struct relay *r, uint32_t target, uint32_t from,
	       void (*fn)(void *owner, struct conn *c, const struct err *why), void *owner,
	       struct relay_wait **ret, struct err *e) MUST_CHECK;
void relay_wait_free(struct relay_wait *w);

/** relay_accept() - A node answers a call; HELLO is not yet answered; owned here from now on */
void relay_accept(struct relay *r, struct conn *c, const Cmx__Hello *h);

/** relay_ask() - A peer wants a node of ours; HELLO is not yet answered; owned here from now on */
void relay_ask(struct relay *r, struct conn *c, const Cmx__Hello *h);

/** relay_drop() - End what there is with a node */
void relay_drop(struct relay *r, uint32_t id);

#endif
