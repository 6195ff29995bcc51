/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * channel.h - messages between the processes of comosix-headd
 *
 * A pair of Unix SOCK_SEQPACKET sockets: each message arrives whole or not at all, at most
 * CHANNEL_MAX bytes, with at most one file descriptor beside it. The far side of a channel may
 * have been taken over by an attacker, so what arrives is hostile bytes like any other.
 */
#ifndef HEAD_CHANNEL_H
#define HEAD_CHANNEL_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define CHANNEL_MAX 180000

/** channel_pair() - Two connected ends, blocking, close-on-exec */
int channel_pair(int ret[2], struct err *e) MUST_CHECK;

/**
 * channel_send() - Send a message
 * @fd:		An end of a channel
 * @msg:	A protobuf-c message
 * @pass_fd:	Goes along, stays the caller's; -1 for none
 * @e:		Reason
 *
 * Return: 0, -EMSGSIZE, other -errno
 */
int channel_send(int fd, const void *msg, int pass_fd, struct err *e) MUST_CHECK;

/**
 * channel_recv() - Wait for a message
 * @fd:		An end of a channel
 * @timeout_ms:	-1: for ever
 * @to:		Emptied, then filled
 * @ret_fd:	What came along or -1; the caller closes it. NULL: nothing may come along
 * @e:		Reason
 *
 * Return: 1 a message, 0 the other side is gone, -ETIMEDOUT, other -errno
 */
int channel_recv(int fd, int timeout_ms, struct buf *to, int *ret_fd, struct err *e) MUST_CHECK;

#endif
