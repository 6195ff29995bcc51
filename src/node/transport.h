/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * transport.h - what two halves speak through: the stream of two daemons, without the daemons
 *
 * Theory of operation. After OPEN MOVE was answered with OPEN_OK both daemons derive the key of
 * this transport and hand the stream to their halves. A direct stream has one TLS session, which is
 * taken off: the half gets the bare TCP connection. A relayed one has two (both ends see the same
 * number); its half gets one end of a socket pair that this daemon joins with it.
 *
 * In two steps, because the half is to be there before the other side hears OPEN_OK, and nothing
 *may be read from the stream after it:
 *
 *	transport_prepare()	key and fd for the half; the stream is as it was
 *	(start the half, at the host say OPEN_OK)
 *	transport_settle()	the stream is the half's; in the same handler
 */
#ifndef NODE_TRANSPORT_H
#define NODE_TRANSPORT_H

#include <stdint.h>

#include "base/err.h"
#include "net/tls.h"

struct node;
struct conn;
struct transports;

/* Owner: the caller, until transport_done() */
struct transport {
	struct conn *conn; /* NULL when settled */
	int fd;		   /* the half's end; a copy is given to it */
	int pair;	   /* our end of the socket pair; -1: the stream becomes bare */
	uint8_t key[TLS_MOVE_KEY];
};

int transports_new(struct node *n, struct transports **ret) MUST_CHECK;

/** transports_free() - Those through a socket pair break with us */
void transports_free(struct transports *all);

/** transport_prepare() - c is owned by the transport on success */
int transport_prepare(struct conn *c, struct transport *ret, struct err *e) MUST_CHECK;

/**
 * transport_settle() - Hand the stream over
 * @peer:	The node at its other end, for transports_drop()
 *
 * Return: 0, -EBUSY and the like: the stream cannot be the half's; end both
 */
int transport_settle(struct transports *all, struct transport *t, uint32_t peer, struct err *e)
	MUST_CHECK;
void transport_done(struct transport *t);

/** transports_drop() - Break those with this node that go through us */
void transports_drop(struct transports *all, uint32_t peer);

#endif
