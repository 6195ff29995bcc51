/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * jobs.h - jobs: processes that were started by mosrun, with all they start
 *
 * Theory of operation. A job is a cgroup: comosix-job-UID-N, made by this daemon (root) for the one
 * who asks on the local socket, and children are born into it. A user cannot leave it, for that
 * takes the right to write to a group above. Who is in a group of that name is a job, whatever
 * daemon made it (process.h); so nothing has to be remembered but the paths that were declared for
 * it, in RUN/jobs/GROUP. comosix-stay-UID-N holds those that
 * were told to stay at home. Groups without a process are removed now and then.
 */
#ifndef NODE_JOBS_H
#define NODE_JOBS_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

#define JOB_PATHS_MAX	    64
#define JOB_PATHS_BYTES_MAX 65536

struct node;
struct jobs;

int jobs_new(struct node *n, struct jobs **ret, struct err *e) MUST_CHECK;
void jobs_free(struct jobs *j);

/**
 * jobs_enter() - Make a process a job; one that is a job stays in the one it is in
 * @pid, @uid:	The caller's, from the kernel (SO_PEERCRED)
 * @stay:	It may not be moved
 * @paths, @n_paths: What it may use besides when it is confined; kept for its life in RUN/jobs/
 *
 * Return: 0, -ENOTSUP this machine has no cgroups, other -errno
 */
int jobs_enter(struct jobs *j, pid_t pid, uid_t uid, bool stay, char *const *paths, size_t n_paths,
	       struct err *e) MUST_CHECK;

/** jobs_paths() - What was declared for the job of this group: absolute paths, each with its NUL */
void jobs_paths(const struct jobs *j, const char *group, struct buf *to);

#endif
