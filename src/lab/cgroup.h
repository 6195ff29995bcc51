/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cgroup.h - limits of a pod: CPUs and memory, cgroup v2 or v1
 *
 * One group per pod under one per lab, GROUP/POD, in the hierarchy that has the controller: the v2
 * one if the controller is there, else its v1 one.
 */
#ifndef LAB_CGROUP_H
#define LAB_CGROUP_H

#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

struct cgroup_limits {
	double cpus;	 /* 0: no limit */
	uint64_t memory; /* bytes, 0: no limit */
};

/** cgroup_make() - Make the groups of a pod and set its limits; -ENOTSUP names what is missing */
int cgroup_make(const char *group, const char *pod, const struct cgroup_limits *l, struct err *e)
	MUST_CHECK;

/** cgroup_join() - Move the calling process into the groups of a pod */
int cgroup_join(const char *group, const char *pod, const struct cgroup_limits *l, struct err *e)
	MUST_CHECK;

/** cgroup_sweep() - Remove all groups of a lab; its processes must be gone */
int cgroup_sweep(const char *group, struct err *e) MUST_CHECK;

#endif
