/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * box.h - the box around a guest: what comosix-guest puts between itself and the host
 *
 * comosixd starts comosix-guest as root. That calls guest_box_enter() first of all, and goes on
 * twice: as pid 1 of new namespaces with an empty root, root of a user namespace of its own and of
 * nothing else (the agent), and as the process outside, which has no right at all any more and
 * waits for the agent's end. The agent makes the guest's processes; each of them calls
 * guest_box_become_guest() before it is anything.
 *
 *	        inside            outside
 *	agent   uid 0             agent_uid       capabilities in the user namespace
 *	guest   home_uid          agent_uid + 1   CAP_CHECKPOINT_RESTORE in it
 *
 * What is in the box sees none of the host's files, processes and network, whatever it does.
 */
#ifndef MIGRATE_BOX_H
#define MIGRATE_BOX_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

#define GUEST_BOX_GROUPS_MAX 3
#define GUEST_BOX_FDS_MAX    8

/* two uids for each guest, the gids likewise: above the ranges of containers, below 2^31 */
#define GUEST_BOX_UID_BASE  1879048192U
#define GUEST_BOX_SLOTS_MAX 65536U

static inline uint32_t guest_box_agent_uid(uint32_t slot)
{
	return GUEST_BOX_UID_BASE + 2 * slot;
}

struct guest_box {
	uint32_t agent_uid; /* outside; agent_uid + 1 is the guest's; no other box has it */
	uint32_t home_uid, home_gid;		  /* inside: who the process is at home; not 0 */
	const char *groups[GUEST_BOX_GROUPS_MAX]; /* cgroup directories to enter; NULL: none */
	uint32_t processes;	    /* threads of the guest; 0: no limit but the cgroup's */
	bool idle;		    /* SCHED_IDLE: only what nobody else wants */
	int nice;		    /* 0 to 19, when not idle */
	int fds[GUEST_BOX_FDS_MAX]; /* descriptors that the agent keeps, under their numbers */
	unsigned int n_fds;	    /* all others are closed; 0 to 2 become /dev/null */
};

/**
 * guest_box_enter() - Build the box; go on inside and outside, as fork(2) does
 * @spec:	What it is to be
 * @ret_init:	Inside: 0. Outside: pid of the agent, for guest_box_wait()
 * @ret_life:	Inside: for guest_box_live(). Outside: for guest_box_wait()
 * @e:		Reason; of a failure inside, too
 *
 * For a root process with one thread. Inside dies when outside does. After a failure the process
 * must end: it may be half-way.
 *
 * Return: 0, -EPERM (not root), -EINVAL (spec), other -errno; failure is said outside only
 */
int guest_box_enter(const struct guest_box *spec, pid_t *ret_init, int *ret_life, struct err *e)
	MUST_CHECK;

/** guest_box_live() - The agent is not stopped; to be said more often than outside wants to hear it */
void guest_box_live(int life);

#define GUEST_BOX_SILENT 124 /* exit status of an outside that has heard nothing */

/**
 * guest_box_wait() - Outside: wait for the end of the agent
 * @silence_ms:	It is ended when it has said nothing for so long (does not return then); 0: never
 *
 * Closes all descriptors but 0 to 2, so that what the agent holds ends with it.
 *
 * Return: its exit status; 128 + signal when it was killed
 */
int guest_box_wait(pid_t init, int life, uint32_t silence_ms);

/**
 * guest_box_become_guest() - In a new process of the agent: be the guest, for good
 *
 * Its only capability left, CAP_CHECKPOINT_RESTORE in the user namespace of the box, lets clone3(2)
 * choose the ids of its threads. It may be traced by the agent.
 *
 * Return: 0 or -errno; the process must end after a failure
 */
int guest_box_become_guest(const struct guest_box *spec, struct err *e) MUST_CHECK;

#endif
