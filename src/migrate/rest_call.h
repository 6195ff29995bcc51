/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rest_call.h - calls that go on by themselves until all is done, and what is left of one
 *
 * Theory of operation. A write into a full pipe, a recv(MSG_WAITALL) and their like move bytes, wait,
 * and move more. When such a call is stopped the kernel lets it return with the part that was
 * moved, as it does for a signal that the program handles. The program asked for no such thing if
 * it was only us. Then the call counts as under way still, with a part of it done.
 *
 * Which calls those are depends on the file: a read from a pipe gives what there is, and to ask for
 * more would wait for ever. When in doubt a short count is what it seems.
 */
#ifndef MIGRATE_REST_CALL_H
#define MIGRATE_REST_CALL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "base/attr.h"

#define REST_PARTS_MAX 1024 /* UIO_MAXIOV */

/* a call for the rest; vector and message go to the process's memory if n_parts is not 0 */
struct rest_call {
	uint64_t nr, args[6];
	bool by_message;
	struct msghdr message;
	struct iovec parts[REST_PARTS_MAX];
	size_t n_parts;
};

/**
 * rest_is_part() - Has a call returned early, having done a part of what it would go on with?
 * @pid:	Stopped; its memory and descriptors are looked at
 * @result:	Of the call
 */
bool rest_is_part(pid_t pid, uint64_t nr, const uint64_t args[6], int64_t result);

/**
 * rest_call() - The call that does what is left
 * @done:	Bytes, or messages, that are done
 * @ret:	Filled; the addresses in args[1] of a vector or message are for the caller to set
 *
 * Return: 0, -ENOTSUP for a call that does not go on, -EFAULT
 */
int rest_call(pid_t pid, uint64_t nr, const uint64_t args[6], uint64_t done, struct rest_call *ret)
	MUST_CHECK;

#endif
