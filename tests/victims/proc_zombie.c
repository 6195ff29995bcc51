/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * proc_zombie.c - ended children stay zombies until they are waited for, or are never seen when
 * ignored
 */
#include "victim.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define N 5

static char state_of(pid_t pid)
{
	char path[64], text[512], *end;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	if (victim_slurp(path, text, sizeof(text)) <= 0 || !(end = strrchr(text, ')')))
		return '-';
	return end[2];
}

int main(void)
{
	pid_t children[N];
	int status;

	victim_ready();
	while (victim_round()) {
		(void)signal(SIGCHLD, SIG_DFL);
		for (int i = 0; i < N; i++) {
			children[i] = fork();
			NEED(children[i] >= 0);
			if (children[i] == 0)
				_exit(i);
		}
		for (int i = N - 1; i >= 0; i--) {
			siginfo_t info;

			CHECK_EQ(waitid(P_PID, children[i], &info, WEXITED | WNOWAIT), 0);
			CHECK_EQ(state_of(children[i]), 'Z');
			CHECK_EQ(kill(children[i], 0), 0);
			CHECK_EQ(waitpid(children[i], &status, 0), children[i]);
			CHECK_EQ(WEXITSTATUS(status), i);
			CHECK_ERR(kill(children[i], 0), ESRCH);
		}
		/* nobody wants to know: no zombies, and wait() returns when the last has ended */
		(void)signal(SIGCHLD, SIG_IGN);
		for (int i = 0; i < N; i++) {
			children[i] = fork();
			NEED(children[i] >= 0);
			if (children[i] == 0)
				_exit(i);
		}
		CHECK_ERR(wait(&status), ECHILD);
	}
	return victim_end();
}
