/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * netlink.h - make and set up network links (rtnetlink(7))
 *
 * A struct netlink speaks to the network namespace in which it was opened, whatever namespace its
 * process moves to later. Links are named, addresses are IPv4 in host byte order. Each call waits
 * for the kernel's answer.
 */
#ifndef OS_NETLINK_H
#define OS_NETLINK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct netlink {
	int fd; /* -1 when closed */
	uint32_t seq;
};

int netlink_open(struct netlink *ret, struct err *e) MUST_CHECK;
void netlink_close(struct netlink *n);

/** netlink_bridge() - Make a bridge and set it up */
int netlink_bridge(struct netlink *n, const char *name, struct err *e) MUST_CHECK;

struct netlink_veth {
	const char *name;	 /* this end */
	const char *bridge;	 /* that this end is a port of */
	const char *peer_name;	 /* the other end */
	int peer_ns;		 /* network namespace to put the other end into; -1: stay here */
	const uint8_t *peer_mac; /* 6 bytes, the other end's; NULL: the kernel's choice */
};

/** netlink_veth() - Make a pair of links; this end is set up, the other is the other's to set up */
int netlink_veth(struct netlink *n, const struct netlink_veth *v, struct err *e) MUST_CHECK;

/** netlink_isolate() - Keep a bridge port from talking to the bridge's other isolated ports */
int netlink_isolate(struct netlink *n, const char *port, struct err *e) MUST_CHECK;

int netlink_set_up(struct netlink *n, const char *name, bool up, struct err *e) MUST_CHECK;

/** netlink_delete() - Delete a link, its other end with it; a missing one is no error */
int netlink_delete(struct netlink *n, const char *name, struct err *e) MUST_CHECK;

int netlink_address(struct netlink *n, const char *name, uint32_t address, unsigned int prefix,
		    struct err *e) MUST_CHECK;
int netlink_route(struct netlink *n, uint32_t to, unsigned int prefix, uint32_t gateway,
		  struct err *e) MUST_CHECK;

#endif
