/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * network.h - the wires of a lab
 *
 *     head   n1   n2              n3   n4          behind the router: ports that cannot talk to
 *       |     |    |               |    |          each other, only out through the router
 *     [ bridge "lab" ]------out [ bridge "in" ]
 *       supervisor's namespace   router's namespace
 *
 * No link is ever made in the machine's own namespace.
 */
#ifndef LAB_NETWORK_H
#define LAB_NETWORK_H

#include <sys/types.h>

#include "os/netlink.h"

struct network {
	struct netlink lab;
	struct netlink router; /* fd -1 until the first pod behind it */
	int router_ns;	       /* keeps its namespace alive, -1 until then */
};

/** network_init() - Make the bridge in the calling process's namespace; end it with _done */
int network_init(struct network *n, struct err *e) MUST_CHECK;
void network_done(struct network *n);

/** network_router() - Make the router if it is missing; takes some milliseconds, runs nft(8) */
int network_router(struct network *n, struct err *e) MUST_CHECK;

/** network_plug() - Give the process's namespace a link eth0 to the lab, or to the router */
int network_plug(struct network *n, const char *pod, pid_t pid, bool behind_nat, struct err *e)
	MUST_CHECK;

/** network_unplug() - Take it away again, without a word to anybody; a missing one is no error */
int network_unplug(struct network *n, const char *pod, bool behind_nat, struct err *e) MUST_CHECK;

/** network_cut() - Take the link down, or up again */
int network_cut(struct network *n, const char *pod, bool behind_nat, bool cut, struct err *e)
	MUST_CHECK;

#endif
