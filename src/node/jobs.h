/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * jobs.h - jobs: processes that were started by mosrun, with all they start
 *
 * Theory of operation. A job is a cgroup: comosix-job-UID-N, made by this daemon (root) for the one
 * who asks on the local socket, and children are born into it. A user cannot leave it, for that
 * takes the right to write to a group above. Who is in a group of that name is a job, whatever
 * daemon made it (process.h); so nothing has to be remembered but what was declared for it (paths,
 * checkpoints), in RUN/jobs/GROUP. comosix-stay-UID-N holds those that
 * were told to stay at home. Groups without a process are removed now and then.
 */
#ifndef NODE_JOBS_H
#define NODE_JOBS_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

#define JOB_PATHS_MAX	   64
#define JOB_SPEC_BYTES_MAX 65536

struct node;
struct jobs;

/* what mosrun declares */
struct job_spec {
	bool stay;	    /* it may not be moved */
	char *const *paths; /* absolute: what it may use besides when it is confined */
	size_t n_paths;
	uint32_t checkpoint_ms; /* 0: no images of it are kept */
	uint64_t checkpoint_max;
	const char *checkpoint_dir; /* absolute */
};

int jobs_new(struct node *n, struct jobs **ret, struct err *e) MUST_CHECK;
void jobs_free(struct jobs *j);

/**
 * jobs_enter() - Make a process a job; one that is a job stays in the one it is in
 * @pid, @uid:	The caller's, from the kernel (SO_PEERCRED)
 * @spec:	Kept for its life in RUN/jobs/
 *
 * Return: 0, -ENOTSUP this machine has no cgroups, other -errno
 */
int jobs_enter(struct jobs *j, pid_t pid, uid_t uid, const struct job_spec *spec, struct err *e)
	MUST_CHECK;

/**
 * jobs_declared() - What was declared for the job of this group
 * @text:	Initialized with JOB_SPEC_BYTES_MAX; what ret points to lies in it
 * @paths:	JOB_PATHS_MAX; ret->paths
 */
void jobs_declared(const struct jobs *j, const char *group, struct buf *text, char **paths,
		   struct job_spec *ret);

#endif
