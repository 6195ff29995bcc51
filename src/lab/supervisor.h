/* SPDX-License-Identifier: GPL-2.0-or-later */
/* supervisor.h - the process that is a lab */
#ifndef LAB_SUPERVISOR_H
#define LAB_SUPERVISOR_H

#include <stdbool.h>
#include <stdint.h>

#include "lab/cgroup.h"
#include "lab/layout.h"
#include "lab/services.h"

struct lab_plan {
	struct lab_paths paths;
	uint32_t nodes;
	uint32_t servers;	     /* n1 ... of them are servers */
	bool nat;		     /* desktops sit behind the router */
	const bool *nat_nodes;	     /* by number - 1, or NULL; nodes entries */
	struct cgroup_limits limits; /* of each node */
	const char *programs;	     /* directory of our programs */
	bool bare;		     /* pods without services */
};

/* number of an ADD */
enum lab_add_flags {
	LAB_ADD_SERVER = 1,
	LAB_ADD_NAT = 2,
};

/* what STATUS tells of each pod */
struct pod_report {
	char name[16];
	char address[LAB_ADDRESS_TEXT];
	char state[16];	   /* booting ready failed off */
	char failure[128]; /* why it failed, else empty */
	enum lab_role role;
	bool cut, nat;
	uint32_t restarts; /* of its services */
};

/**
 * supervisor_start() - Start a lab
 * @plan:	What it is to be; good until it returns
 * @lock:	The lock on all labs; the record is written; the caller closes it on return
 * @ret_fd:	Channel on which PROGRESS comes, then DONE or FAILED. Closing it before DONE takes
 *		the lab down
 * @e:		Reason
 *
 * Return: 0 when the supervisor listens, -errno when nothing was started
 */
int supervisor_start(const struct lab_plan *plan, int lock, int *ret_fd, struct err *e) MUST_CHECK;

#endif
