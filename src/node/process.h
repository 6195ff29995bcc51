/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * process.h - what comosixd must know of a process before it lets anybody move it
 *
 * Read from /proc: who owns it, whether mosrun has made it a job, how large it is. Whether it can
 * move at all is not asked here: the deputy does that (migrate/preflight), before it is stopped.
 */
#ifndef NODE_PROCESS_H
#define NODE_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

#define PROCESS_COMMAND_MAX 64
#define PROCESS_GROUP_MAX   48
#define JOB_GROUP	    "comosix-job-"   /* cgroup of a job: comosix-job-UID-N */
#define GUEST_GROUP	    "comosix-guest-" /* of a guest here: comosix-guest-SLOT */
#define STAY_GROUP	    "comosix-stay-"  /* of one that may not move: mosrun -l */

enum process_job {
	PROCESS_NO_JOB,
	PROCESS_JOB,
	PROCESS_STAYS, /* a job that was told to stay */
};

struct process {
	pid_t pid;
	uid_t uid; /* the real one; -EPERM when the effective one is another */
	gid_t gid;
	enum process_job job;
	char group[PROCESS_GROUP_MAX]; /* of a job: the name of its cgroup; "": none */
	uint64_t memory_bytes;	       /* resident */
	char command[PROCESS_COMMAND_MAX];
};

/**
 * process_look() - Read it
 * @pid:	A process, not one of its other threads
 *
 * Return: 0, -ESRCH there is none, -EPERM it runs with another user's rights, -EINVAL a kernel
 * thread or a thread, other -errno
 */
int process_look(pid_t pid, struct process *ret, struct err *e) MUST_CHECK;

/**
 * process_job_of() - From the text of /proc/PID/cgroup. Pure
 * @ret_group:	PROCESS_GROUP_MAX bytes: name of the group, "" when it is no job
 */
enum process_job process_job_of(const char *cgroups, char *ret_group);

#endif
