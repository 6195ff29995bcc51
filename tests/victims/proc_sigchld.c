/* SPDX-License-Identifier: GPL-2.0-or-later */
/* proc_sigchld.c - SIGCHLD tells who changed and how, and a handler that reaps finds every child */
#include "victim.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#define N 6

static volatile sig_atomic_t reaped, told_code, told_uid_wrong;

static void on_child(int signal, siginfo_t *info, void *context)
{
	int status;
	pid_t pid;

	told_code = info->si_code;
	told_uid_wrong |= info->si_uid != getuid();
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		reaped += WIFEXITED(status) && WEXITSTATUS(status) == 5;
}

int main(void)
{
	struct sigaction sa = { .sa_sigaction = on_child, .sa_flags = SA_SIGINFO | SA_RESTART };
	sigset_t block, old;

	NEED(sigaction(SIGCHLD, &sa, NULL) == 0);
	NEED(sigemptyset(&block) == 0 && sigaddset(&block, SIGCHLD) == 0);
	NEED(sigprocmask(SIG_BLOCK, &block, &old) == 0);
	victim_ready();
	while (victim_round()) {
		reaped = 0;
		for (int i = 0; i < N; i++) {
			pid_t child = fork();

			NEED(child >= 0);
			if (child == 0)
				_exit(5);
		}
		while (reaped < N)
			(void)sigsuspend(&old);
		CHECK_EQ(reaped, N);
		CHECK_EQ(told_code, CLD_EXITED);
		CHECK_EQ(told_uid_wrong, 0);
	}
	return victim_end();
}
