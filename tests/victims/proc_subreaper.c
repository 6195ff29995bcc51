/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * proc_subreaper.c - orphans of its descendants become children of the process that asked for them
 */
#include "victim.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static int pipe_[2];

static void leave_an_orphan(void *unused)
{
	pid_t middle = getpid(), orphan = fork();

	NEED(orphan >= 0);
	if (orphan > 0)
		return;
	while (getppid() == middle)
		victim_pause(500 * 1000);
	middle = getppid();
	(void)!write(pipe_[1], &middle, sizeof(middle));
	_exit(6);
}

int main(void)
{
	int is = 0, status;
	pid_t parent;

	NEED(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0 && pipe2(pipe_, O_CLOEXEC) == 0);
	victim_ready();
	while (victim_round()) {
		CHECK_EQ(prctl(PR_GET_CHILD_SUBREAPER, &is), 0);
		CHECK_EQ(is, 1);
		victim_reap(victim_child(leave_an_orphan, NULL));
		CHECK_EQ(read(pipe_[0], &parent, sizeof(parent)), sizeof(parent));
		CHECK_EQ(parent, getpid());
		CHECK(wait(&status) > 0);
		CHECK_EQ(WIFEXITED(status) ? WEXITSTATUS(status) : -1, 6);
		CHECK_ERR(wait(&status), ECHILD);
	}
	return victim_end();
}
