/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rootfs.h - what a pod sees as its files
 *
 * Each call is made by the first process of a pod, in the pod's own mount and pid namespaces.
 */
#ifndef LAB_ROOTFS_H
#define LAB_ROOTFS_H

#include <stdbool.h>

#include "base/err.h"

/*
 * The lab's own storage is a tmpfs that only the lab's namespaces see, mounted on the lab's stage:
 *
 *     STAGE/disks/POD/lib, etc, log   what a pod keeps over a power cut
 *     STAGE/shared/hosts, passwd ...  the same in all nodes
 *     STAGE/root                      mount point
 */
struct rootfs {
	const char *stage;
	const char *pod;      /* "n1" */
	const char *programs; /* directory of our programs on the machine itself */
	const char *cgroup;   /* of the lab */
};

/** rootfs_stage() - Make the lab's own storage; by the supervisor, in its mount namespace */
int rootfs_stage(const char *stage, struct err *e) MUST_CHECK;

/** rootfs_disk() - Make room for a pod in it; what is there stays; by the supervisor */
int rootfs_disk(const struct rootfs *r, struct err *e) MUST_CHECK;

/**
 * rootfs_head() - The machine as it is, but for the cluster's own directories and what is per boot
 *
 * Own: /run, /proc, /sys/fs/cgroup, /dev/pts, /dev/shm, /dev/mqueue, /etc/comosix,
 * /var/lib/comosix, /etc/hosts.
 */
int rootfs_head(const struct rootfs *r, struct err *e) MUST_CHECK;

/** rootfs_node() - A root of its own with the machine's /usr, read-only, and nothing else of it */
int rootfs_node(const struct rootfs *r, struct err *e) MUST_CHECK;

/** rootfs_programs() - Where a pod finds the programs that are at this place on the machine */
const char *rootfs_programs(const char *programs, bool is_head);

#endif
