/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * web.h - the process of comosix-headd that faces the network
 *
 * Theory of operation. libmicrohttpd with a thread per connection (docs/decisions/0010): a stream
 * of events simply waits in its thread, and nothing is suspended or resumed. Bounds, all checked
 * before anything is parsed: connections in total and per address, bytes of headers and body,
 * time from the first byte of a request to its last, streams. A connection that is silent is cut
 * by libmicrohttpd; one that drips is cut by the watchdog, which only shuts the socket down and
 * leaves the rest to its thread.
 */
#ifndef HEAD_WEB_H
#define HEAD_WEB_H

#include "head/cluster.h"

#define WEB_CONNECTIONS_MAX 512
#define WEB_PER_ADDRESS_MAX 96
#define WEB_STREAMS_MAX	    128
#define WEB_HEADER_MAX	    32768
#define WEB_IDLE_S	    30 /* longer than a stream's silence */
#define WEB_REQUEST_MS	    20000
#define WEB_STACK_BYTES	    (512 * 1024)

struct web_setup {
	const struct cluster *cluster;
	const char *ca_pem, *statement_pub;
	const char *database; /* file name, in the process's own root */
	int listen_fd, signer_fd, helper_fd, helper_live_fd;
};

/** web_run() - Serve until SIGTERM or SIGINT; Return: 0 or -errno */
int web_run(const struct web_setup *s, struct err *e) MUST_CHECK;

#endif
