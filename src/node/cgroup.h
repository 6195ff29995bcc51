/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cgroup.h - limits for a group of processes, where the kernel offers them
 *
 * A group is made below this process's own cgroup, so that limits nest: in each hierarchy of
 * version 1 that has a controller we use, or in the one of version 2. Where nothing can be made (no
 * hierarchy is mounted, it is read-only, a version 2 group that holds processes may not have
 * children with limits) there is no group and no limit: what must hold is held by rlimits.
 */
#ifndef NODE_CGROUP_H
#define NODE_CGROUP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

#define CGROUP_DIRS_MAX 3
#define CGROUP_PATH_MAX 512

struct cgroup {
	char dirs[CGROUP_DIRS_MAX][CGROUP_PATH_MAX];
	unsigned int n;
};

struct cgroup_limits {
	uint32_t cpu_shares;   /* 1024 is normal; 0: as normal */
	uint64_t memory_bytes; /* 0: none */
	uint32_t processes;    /* 0: none */
};

/** cgroup_make() - Make a group of this name, or take one that is there; ret->n may be 0 */
void cgroup_make(const char *name, const struct cgroup_limits *limits, struct cgroup *ret);

/** cgroup_remove() - Remove the group of this name, if it is there and empty */
void cgroup_remove(const char *name);

/**
 * cgroup_make_new() - Make a group without limits that only says who belongs together
 * @name:	It must not be there: -EEXIST
 * @ret:	Its directory, CGROUP_PATH_MAX bytes
 *
 * Where the controller `pids' of version 1 is, or in version 2.
 *
 * Return: 0 or -errno; -ENOENT: there is no such hierarchy
 */
int cgroup_make_new(const char *name, char *ret) MUST_CHECK;

/** cgroup_is_there() - Is there a group of this name, made by cgroup_make_new()? */
bool cgroup_is_there(const char *name);

/** cgroup_put() - Move a process into the group of a directory */
int cgroup_put(const char *dir, pid_t pid) MUST_CHECK;

/** cgroup_sweep() - Remove all groups whose name begins so and that are empty */
void cgroup_sweep(const char *prefix);

/** cgroup_enter() - Move this process into the group; @dir is one of its dirs */
int cgroup_enter(const char *dir) MUST_CHECK;

/**
 * cgroup_own_dir() - Where the own group of one hierarchy is. Pure
 * @mountinfo:	Text of /proc/self/mountinfo
 * @own:	Text of /proc/self/cgroup
 * @controller:	"memory"; "" is version 2
 * @ret:	CGROUP_PATH_MAX bytes
 *
 * Return: 0, -ENOENT when it is not mounted or lies outside of what is mounted
 */
int cgroup_own_dir(const char *mountinfo, const char *own, const char *controller, char *ret)
	MUST_CHECK;

#endif
