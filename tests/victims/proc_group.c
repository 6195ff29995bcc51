/* SPDX-License-Identifier: GPL-2.0-or-later */
/* proc_group.c - process groups: made, joined, signalled and waited for as one */
#include "victim.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#define N 3

int main(void)
{
	int status;

	victim_ready();
	while (victim_round()) {
		pid_t child[N], group = 0;

		for (int i = 0; i < N; i++) {
			child[i] = fork();
			NEED(child[i] >= 0);
			if (child[i] == 0)
				for (;;)
					(void)pause();
			group = group ? group : child[i];
			CHECK_EQ(setpgid(child[i], group), 0);
			CHECK_EQ(getpgid(child[i]), group);
			CHECK_EQ(getsid(child[i]), getsid(0));
		}
		CHECK(getpgrp() != group);
		CHECK_EQ(waitpid(-group, &status, WNOHANG), 0);
		CHECK_EQ(kill(-group, SIGUSR1), 0);
		for (int i = 0; i < N; i++) {
			CHECK(waitpid(-group, &status, 0) > 0);
			CHECK_EQ(WIFSIGNALED(status) ? WTERMSIG(status) : -1, SIGUSR1);
		}
		CHECK_ERR(waitpid(-group, &status, 0), ECHILD);
		CHECK_ERR(kill(-group, SIGUSR1), ESRCH);
		CHECK_ERR(setpgid(1, 1), getpid() == 1 ? EPERM : ESRCH);
	}
	return victim_end();
}
