/* SPDX-License-Identifier: GPL-2.0-or-later */
/* init.h - the first process of a pod */
#ifndef LAB_INIT_H
#define LAB_INIT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>

#include "base/attr.h"
#include "lab/rootfs.h"
#include "lab/services.h"

struct init {
	struct rootfs root;
	const char *lab;
	enum lab_role role;
	uint32_t address, head_address;
	uint32_t gateway; /* to the lab's network; 0: the pod is on it */
	rlim_t files;	  /* RLIMIT_NOFILE to go back to; 0: as it is */
	bool bare;	  /* no services */
	int channel;	  /* to the supervisor */
};

/**
 * init_run() - Be the first process of a pod
 * @i:		What the pod is to be
 *
 * Called in a process just made with namespaces of its own. Makes the pod's files, waits for BOOT,
 * sets up the network, starts the services, and then reaps children, restarts services and runs
 * commands until it is killed.
 */
void init_run(const struct init *i) NORETURN;

#endif
