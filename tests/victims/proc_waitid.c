/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * proc_waitid.c - waitid and waitpid tell of stopped, continued and ended children, each state once
 */
#include "victim.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void check_state(pid_t child, int options, int code, int status)
{
	siginfo_t info;

	memset(&info, 0, sizeof(info));
	CHECK_EQ(waitid(P_PID, child, &info, options), 0);
	CHECK_EQ(info.si_pid, child);
	CHECK_EQ(info.si_code, code);
	CHECK_EQ(info.si_status, status);
	CHECK_EQ(info.si_uid, getuid());
}

int main(void)
{
	int status;

	victim_ready();
	while (victim_round()) {
		siginfo_t none = { .si_pid = 1 };
		pid_t child = fork();

		NEED(child >= 0);
		if (child == 0)
			for (;;)
				(void)pause();
		CHECK_EQ(waitpid(child, &status, WNOHANG), 0);
		CHECK_EQ(waitid(P_PID, child, &none, WEXITED | WNOHANG), 0);
		CHECK_EQ(none.si_pid, 0);

		CHECK_EQ(kill(child, SIGSTOP), 0);
		check_state(child, WSTOPPED | WNOWAIT, CLD_STOPPED, SIGSTOP);
		CHECK_EQ(waitpid(child, &status, WUNTRACED), child);
		CHECK_EQ(WIFSTOPPED(status) ? WSTOPSIG(status) : -1, SIGSTOP);
		CHECK_EQ(waitpid(child, &status, WUNTRACED | WNOHANG), 0);

		CHECK_EQ(kill(child, SIGCONT), 0);
		CHECK_EQ(waitpid(child, &status, WCONTINUED), child);
		CHECK(WIFCONTINUED(status));

		CHECK_EQ(kill(child, SIGKILL), 0);
		check_state(child, WEXITED | WNOWAIT, CLD_KILLED, SIGKILL);
		check_state(child, WEXITED, CLD_KILLED, SIGKILL);
		CHECK_EQ(waitid(P_PID, child, &none, WEXITED), -1);
	}
	return victim_end();
}
