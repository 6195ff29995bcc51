/* SPDX-License-Identifier: GPL-2.0-or-later */
/* wire.h - a TCP connection between two network namespaces, both ends of it here */
#ifndef BENCH_WIRE_H
#define BENCH_WIRE_H

#include "base/err.h"

/**
 * wire_open() - Connect from one namespace to the other
 * @home, @host:	Their files, such as /run/netns/NAME
 * @address:		IPv4 of the host, as it is seen from home
 * @ret:		Home's end and the host's end, blocking, with TCP_NODELAY
 * @e:			Reason
 *
 * The caller is in its own namespace again at return. Needs CAP_SYS_ADMIN.
 *
 * Return: 0 or -errno
 */
int wire_open(const char *home, const char *host, const char *address, int ret[2], struct err *e)
	MUST_CHECK;

#endif
