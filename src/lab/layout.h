/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * layout.h - the names, places and addresses of a lab
 *
 *     10.77.0.1          head                    10.77.255.1     router (only with nodes behind it)
 *     10.77.1.1 ...      n1 ... (250 a row)      10.78.255.1     router's inner side
 *                                                10.78.1.1 ...   n1 ... behind the router
 *
 * On the machine itself a lab is one directory, /run/comosix-lab/NAME, its cgroups, and processes.
 */
#ifndef LAB_LAYOUT_H
#define LAB_LAYOUT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define LAB_ROOT	 "/run/comosix-lab"
#define LAB_NAME_DEFAULT "lab"
#define LAB_NAME_MAX	 31
#define LAB_NODES_MAX	 1000 /* a bridge has 1023 ports */
#define LAB_PREFIX	 16
#define LAB_ADDRESS_TEXT 16
#define LAB_PATH_MAX	 96 /* a socket's path must fit sockaddr_un */

#define LAB_HEAD_ADDRESS   0x0a4d0001U /* 10.77.0.1 */
#define LAB_ROUTER_OUTSIDE 0x0a4dff01U /* 10.77.255.1 */
#define LAB_ROUTER_INSIDE  0x0a4eff01U /* 10.78.255.1 */
#define LAB_NET		   0x0a4d0000U /* 10.77.0.0/16 */

/* where things are inside every pod */
#define LAB_POD_LOG "/run/lab/log"
/* our programs, unless they are under /usr: on the head, too, because a user may have no way to
 * where they were built */
#define LAB_NODE_PROGRAMS "/opt/comosix/bin"
#define LAB_HEAD_PROGRAMS "/run/lab/bin"

struct lab_paths {
	char name[LAB_NAME_MAX + 1];
	char dir[LAB_PATH_MAX];	    /* LAB_ROOT/NAME */
	char record[LAB_PATH_MAX];  /* what this lab is; written before anything else is made */
	char control[LAB_PATH_MAX]; /* socket of the supervisor */
	char log[LAB_PATH_MAX];	    /* of the supervisor */
	char stage[LAB_PATH_MAX];   /* an empty directory here, full only in the lab's namespaces */
	char cgroup[LAB_NAME_MAX + 16];
};

/** lab_paths() - Where the lab of this name is; a name is letters, digits, '-' and '_' */
int lab_paths(const char *name, struct lab_paths *ret, struct err *e) MUST_CHECK;

/** lab_node_address() - Of node number 1 ... LAB_NODES_MAX, IPv4 in host byte order */
uint32_t lab_node_address(uint32_t number, bool behind_nat);

/** lab_address_format() - "10.77.1.1"; to holds LAB_ADDRESS_TEXT bytes */
void lab_address_format(uint32_t address, char *to);

#endif
