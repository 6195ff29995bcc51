/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * proc_pidfd.c - a pidfd becomes readable when its process ends, signals it, waits for it, and
 * never another
 */
#include "victim.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

int main(void)
{
	int self = (int)syscall(SYS_pidfd_open, getpid(), 0);

	NEED(self >= 0);
	victim_ready();
	while (victim_round()) {
		pid_t child = fork();
		siginfo_t info;
		struct pollfd p;

		NEED(child >= 0);
		if (child == 0)
			for (;;)
				(void)pause();
		p = (struct pollfd){ (int)syscall(SYS_pidfd_open, child, 0), POLLIN, 0 };
		NEED(p.fd >= 0);
		CHECK_EQ(poll(&p, 1, 0), 0);
		CHECK_EQ(syscall(SYS_pidfd_send_signal, p.fd, SIGTERM, NULL, 0), 0);
		CHECK_EQ(poll(&p, 1, -1), 1);
		CHECK_EQ(p.revents, POLLIN);
		CHECK_EQ(waitid(P_PIDFD, p.fd, &info, WEXITED), 0);
		CHECK_EQ(info.si_pid, child);
		CHECK_EQ(info.si_status, SIGTERM);
		CHECK_ERR(syscall(SYS_pidfd_send_signal, p.fd, 0, NULL, 0), ESRCH);
		CHECK_EQ(close(p.fd), 0);
		CHECK_EQ(syscall(SYS_pidfd_send_signal, self, 0, NULL, 0), 0);
	}
	return victim_end();
}
