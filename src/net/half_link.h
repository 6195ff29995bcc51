/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * half_link.h - what comosixd and one half of a moved process say to each other
 *
 * Theory of operation. A Unix stream socket with frames of type HALF (wire/half.proto); used by
 * both ends. An fd (a new transport) travels with the first byte of its frame, SCM_RIGHTS, unix(7);
 * at most one is kept until it is asked for. Messages are few and small: what the socket does not
 * take at once is an error, for the other side has stopped.
 *
 * A half is started with this socket as HALF_FD_CONTROL, and with HALF_FD_LISTEN bound to
 * HALF_SOCKET_FORM below the run directory. When comosixd goes away the half goes on; a new
 * comosixd connects there, and the half then drops the old socket and says State first.
 */
#ifndef NET_HALF_LINK_H
#define NET_HALF_LINK_H

#include "base/buf.h"
#include "base/err.h"
#include "wire/half.pb-c.h"

#define HALF_FD_STREAM	3 /* to the other half; non-blocking */
#define HALF_FD_CONTROL 4
#define HALF_FD_LISTEN	5

#define HALF_DEPUTY	 "deputy"
#define HALF_GUEST	 "guest"
#define HALF_ID_LEN	 16		       /* bytes of a move's id */
#define HALF_ID_TEXT	 33		       /* as hexadecimal digits, with the NUL */
#define HALF_SOCKET_FORM "%s/moves/%s-%s.sock" /* run directory, HALF_..., the id's digits */
#define HALF_KEY_LEN	 32

/* Owner: the caller; fd -1 when there is none */
struct half_link {
	int fd;
	struct buf in;
	int passed; /* an fd that came; -1: none */
};

/** half_link_init() - Around a connected socket, made non-blocking; -1: none yet */
int half_link_init(struct half_link *l, int fd) MUST_CHECK;
void half_link_done(struct half_link *l);

/**
 * half_link_send() - Say something
 * @l:		With a socket
 * @m:		The message
 * @pass_fd:	Goes with it, stays the caller's; -1: none
 * @e:		Reason
 *
 * Return: 0 all of it was taken; else the link is of no use any more: -EPIPE, -EAGAIN (the other
 * side has stopped reading), other -errno. Never raises SIGPIPE
 */
int half_link_send(struct half_link *l, const Cmx__Half *m, int pass_fd, struct err *e) MUST_CHECK;

/** half_link_fill() - Read what is there; Return: 1 something, 0 nothing now, -EPIPE it has ended,
 * -errno
 */
int half_link_fill(struct half_link *l, struct err *e) MUST_CHECK;

/**
 * half_link_take() - The next message of what was read
 * @ret:	Freed by the caller with AUTO_MESSAGE
 *
 * Return: 1 a message, 0 more is wanted, -EPROTO
 */
int half_link_take(struct half_link *l, Cmx__Half **ret, struct err *e) MUST_CHECK;

/** half_link_passed() - The fd that came with a Transport; the caller's. -1: there was none */
int half_link_passed(struct half_link *l);

/** half_id_text() - The digits of an id; ret holds HALF_ID_TEXT bytes */
void half_id_text(const uint8_t *id, char *ret);

/** half_id_parse() - And back; -EINVAL when it is not exactly that */
int half_id_parse(const char *text, uint8_t *ret) MUST_CHECK;

#endif
