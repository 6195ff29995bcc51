/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * conn.h - a byte stream in the loop: a socket with no, one or two TLS sessions on it
 *
 * Theory of operation. A connection is an fd and a stack of TLS layers. Bytes read from the fd go
 * up through the layers into conn_in(); bytes sent go down through them. No layer: a local socket
 * or a child's socket pair. One: another node. Two: a node behind a relay (the outer session ends
 * at the relay, the inner one at the node). Both directions have a limit: reading stops while
 * conn_in() is full (back-pressure reaches the peer through TCP), conn_send() says -ENOBUFS.
 * Each direction ends by itself: conn_end() is our half, conn_ended() the peer's.
 *
 * Events come from the loop only, never from inside a call made by the owner. An owner may free the
 * connection in any of them. A stream that breaks (no word of the peer's that it ended, a bad
 * record, a deadline) is told by closed(); the owner frees it then.
 */
#ifndef NET_CONN_H
#define NET_CONN_H

#include "base/buf.h"
#include "loop/loop.h"
#include "net/tls.h"
#include "wire/frame.h"

#define CONN_IN_MAX	  (FRAME_HEADER + FRAME_PAYLOAD_MAX)
#define CONN_OUT_MAX	  (4 * (FRAME_HEADER + FRAME_PAYLOAD_MAX))
#define CONN_OUT_LOW	  65536 /* drained() is called when less is waiting */
#define CONN_OPEN_MS	  5000	/* to connect, and again for each handshake */
#define CONN_LINGER_MS	  5000	/* last words of a connection nobody owns any more */
#define CONN_DEAD_PEER_MS 9000	/* a silent TCP peer is given up; one that takes nothing is not */

struct conn;

struct conn_ops {
	void (*opened)(void *owner); /* the newest layer is up; the peer is known */
	/* more in conn_in(), or conn_ended() became true, or our own end is out of our hands */
	void (*received)(void *owner);
	void (*drained)(void *owner); /* there is room to send again; may be NULL */
	void (*closed)(void *owner, const struct err *why);
};

/**
 * conn_new() - Put a connection around an fd
 * @l:		The loop
 * @fd:		Connected or connecting stream socket; owned by the connection on success
 * @ops, @owner: Whom to tell
 * @ret:	Set on success only
 * @e:		Reason
 *
 * Without a TLS layer there is no opened() event.
 *
 * Return: 0 or -errno
 */
int conn_new(struct loop *l, int fd, const struct conn_ops *ops, void *owner, struct conn **ret,
	     struct err *e) MUST_CHECK;

/** conn_free() - Drop it at once; without a conn_end() that was sent the peer sees a broken stream
 */
void conn_free(struct conn *c);

/** conn_linger() - Nobody owns it any more: send what waits, end, wait a little, free */
void conn_linger(struct conn *c);

/** conn_own() - Another owner takes the connection over */
void conn_own(struct conn *c, const struct conn_ops *ops, void *owner);

/**
 * conn_secure() - Begin a TLS session on top of what is there (at most two)
 * @c:		The connection; nothing of this layer may have been sent or taken yet
 * @creds:	Ours
 * @client:	We are the side that connected
 * @check, @check_owner: See tls.h
 * @e:		Reason
 *
 * Return: 0 or -errno
 */
int conn_secure(struct conn *c, struct tls_creds *creds, bool client, tls_check_fn *check,
		void *check_owner, struct err *e) MUST_CHECK;

/** conn_in() - What was received and not yet eaten; call conn_ate() after eating */
struct buf *conn_in(struct conn *c);

/** conn_ate() - Go on reading, there is room again */
void conn_ate(struct conn *c);

/** conn_ended() - The peer has ended its half and all of it is in conn_in() */
bool conn_ended(const struct conn *c);

/** conn_gone() - The peer has ended its half and takes nothing any more either */
bool conn_gone(const struct conn *c);

/**
 * conn_send() - Append to what goes out
 *
 * To a peer that takes no more (deaf) it is dropped without a word; see conn_gone().
 *
 * Return: 0, -ENOBUFS at the limit (nothing was taken), -ENOMEM, -EPIPE after closed()
 */
int conn_send(struct conn *c, const void *p, size_t n) MUST_CHECK;
int conn_send_frame(struct conn *c, enum frame_type type, const void *p, size_t n) MUST_CHECK;

/** conn_send_message() - A frame with a protobuf-c message */
int conn_send_message(struct conn *c, enum frame_type type, const void *msg) MUST_CHECK;

/** conn_room() - How much conn_send() would take now */
size_t conn_room(const struct conn *c);

/** conn_flushed() - Is everything that was sent out of our hands? */
bool conn_flushed(const struct conn *c);

/** conn_end() - No more from us, after what waits */
void conn_end(struct conn *c);

/** conn_layers() - How many TLS sessions are on it; both ends have the same number */
unsigned int conn_layers(const struct conn *c);

/**
 * conn_fd() - The socket below; stays the connection's
 *
 * For a copy of it that is used after conn_detach() only.
 */
int conn_fd(const struct conn *c);

/**
 * conn_detach() - Take the TLS session off and get the bare socket
 * @c:		Has exactly one TLS layer, which is up; gone on success
 * @ret_fd:	The caller's; non-blocking, at the byte behind the last record of either side
 * @e:		Reason
 *
 * What was sent goes out first. Both ends do it at the same frame: the one that says it sends
 * nothing behind it and detaches in the same handler, the other one when it has read it and before
 * it says anything. For what comes next the two ends have a key of their own (conn_export()).
 *
 * Return: 0, -EBUSY: two layers, or bytes that are not sent or not read; nothing was changed
 */
int conn_detach(struct conn *c, int *ret_fd, struct err *e) MUST_CHECK;

/** conn_deadline() - Break the stream at that time (CLOCK_BOOTTIME ms); 0: never */
void conn_deadline(struct conn *c, uint64_t at_ms);

/** conn_peer() - Who is at the other end, by its innermost layer; only after opened() */
const struct identity *conn_peer(const struct conn *c);

/** conn_export() - Key material of the innermost layer */
int conn_export(struct conn *c, const char *label, uint8_t *ret, size_t n, struct err *e)
	MUST_CHECK;

#endif
