/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * proc_ids.c - pid, parent, thread, user, group, session and supplementary groups never change by
 * themselves
 */
#include "victim.h"

#include <grp.h>
#include <string.h>
#include <unistd.h>

#define N_GROUPS 64

struct ids {
	pid_t pid, tid, parent, group, session;
	uid_t uid[3];
	gid_t gid[3];
	int n_groups;
	gid_t groups[N_GROUPS];
};

static void fetch(struct ids *ids)
{
	memset(ids, 0, sizeof(*ids));
	ids->pid = getpid();
	ids->tid = gettid();
	ids->parent = getppid();
	ids->group = getpgrp();
	ids->session = getsid(0);
	NEED(getresuid(&ids->uid[0], &ids->uid[1], &ids->uid[2]) == 0);
	NEED(getresgid(&ids->gid[0], &ids->gid[1], &ids->gid[2]) == 0);
	ids->n_groups = getgroups(N_GROUPS, ids->groups);
}

int main(void)
{
	struct ids first, now;

	fetch(&first);
	victim_ready();
	while (victim_round()) {
		fetch(&now);
		CHECK_MEM(&now, &first, sizeof(first));
		CHECK_EQ(getuid(), first.uid[0]);
		CHECK_EQ(geteuid(), first.uid[1]);
		CHECK_EQ(getgid(), first.gid[0]);
		CHECK_EQ(getegid(), first.gid[1]);
	}
	return victim_end();
}
