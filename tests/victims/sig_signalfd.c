/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sig_signalfd.c - blocked signals are read from a signalfd, with number, value and sender, and
 * polled for
 */
#include "victim.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

int main(void)
{
	struct signalfd_siginfo info;
	struct pollfd p;
	sigset_t set;
	int fd, value = 0;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGUSR1);
	(void)sigaddset(&set, SIGRTMIN + 1);
	NEED(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
	fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	NEED(fd >= 0);
	p = (struct pollfd){ fd, POLLIN, 0 };
	victim_ready();
	while (victim_round()) {
		CHECK_EQ(poll(&p, 1, 0), 0);
		CHECK_ERR(read(fd, &info, sizeof(info)), EAGAIN);
		CHECK_EQ(kill(getpid(), SIGUSR1), 0);
		CHECK_EQ(sigqueue(getpid(), SIGRTMIN + 1, (union sigval){ .sival_int = ++value }),
			 0);
		CHECK_EQ(poll(&p, 1, -1), 1);
		CHECK_EQ(read(fd, &info, sizeof(info)), sizeof(info));
		CHECK_EQ(info.ssi_signo, SIGUSR1);
		CHECK_EQ(info.ssi_pid, getpid());
		CHECK_EQ(read(fd, &info, sizeof(info)), sizeof(info));
		CHECK_EQ(info.ssi_signo, SIGRTMIN + 1);
		CHECK_EQ(info.ssi_int, value);
	}
	return victim_end();
}
