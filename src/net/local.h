/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * local.h - a command talks to the comosixd of its own node (blocking)
 *
 * For programs without a loop of their own. docs/PROTOCOL.md section 2 says what may be asked.
 */
#ifndef NET_LOCAL_H
#define NET_LOCAL_H

#include "wire/control.pb-c.h"
#include "wire/message.h"

#define LOCAL_SOCKET_DEFAULT "/run/comosix/comosixd.sock"

struct local {
	int fd;	       /* -1 when closed; blocking */
	struct buf in; /* bytes received and not yet taken */
};

/**
 * local_open() - Ask the daemon for something
 * @l:		Filled on success; the caller ends it with local_close()
 * @socket:	Path; NULL: $COMOSIX_SOCKET, else LOCAL_SOCKET_DEFAULT
 * @open:	The request; uid and user are stamped by the daemon
 * @ret_status:	Exit status the daemon wants the command to end with, when it refused (-EREMOTE)
 * @e:		Reason, ready to be shown
 *
 * Return: 0 (OPEN_OK received), -EREMOTE when the daemon said no, other -errno when it could not
 * be asked
 */
int local_open(struct local *l, const char *socket, const Cmx__Open *open, int *ret_status,
	       struct err *e) MUST_CHECK;

/**
 * local_next() - Wait for the next frame
 * @l:		An open connection
 * @ret:	Good until the next call
 * @e:		Reason
 *
 * Return: 1 a frame, 0 the daemon closed at the end of a frame, -errno
 */
int local_next(struct local *l, struct frame *ret, struct err *e) MUST_CHECK;

void local_close(struct local *l);

#endif
