/* SPDX-License-Identifier: GPL-2.0-or-later */
/* block_signalfd.c - waits in read() of a signalfd until another process sends the signal */
#include "victim.h"

#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

static void wake(void *victim)
{
	CHECK_EQ(kill(*(pid_t *)victim, SIGUSR2), 0);
}

int main(void)
{
	struct signalfd_siginfo info;
	pid_t me = getpid();
	struct waker waker;
	sigset_t set;
	int fd;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGUSR2);
	NEED(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
	fd = signalfd(-1, &set, 0);
	NEED(fd >= 0);
	waker = victim_waker(wake, &me);
	while (victim_round()) {
		victim_wait(&waker);
		CHECK_EQ(read(fd, &info, sizeof(info)), sizeof(info));
		CHECK_EQ(info.ssi_signo, SIGUSR2);
		CHECK_EQ(info.ssi_pid, waker.pid);
	}
	victim_waker_end(&waker);
	return victim_end();
}
