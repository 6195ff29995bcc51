/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cgroup.h - control groups of a pod: its limits, and all groups that its daemons make
 *
 * One group per pod under one per lab, GROUP/POD, in each hierarchy that a pod has use for: v2, or
 * the v1 ones. The pod gets a cgroup namespace whose root its group is, and sees only that, so that
 * what its daemons make lies inside of it and goes with the lab.
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

/** cgroup_enter() - Move the calling process into the groups of a pod and a namespace of theirs */
int cgroup_enter(const char *group, const char *pod, struct err *e) MUST_CHECK;

/** cgroup_show() - Put the groups of a pod in the place of the machine's, below root ("": /) */
int cgroup_show(const char *group, const char *pod, const char *root, struct err *e) MUST_CHECK;

/** cgroup_sweep() - Remove all groups of a lab; its processes must be gone */
int cgroup_sweep(const char *group, struct err *e) MUST_CHECK;

#endif
