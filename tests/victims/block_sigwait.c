/* SPDX-License-Identifier: GPL-2.0-or-later */
/* block_sigwait.c - waits in sigwaitinfo() until a queued signal brings its value */
#include "victim.h"

#include <signal.h>
#include <unistd.h>

static void wake(void *victim)
{
	CHECK_EQ(sigqueue(*(pid_t *)victim, SIGRTMIN + 2, (union sigval){ .sival_int = 99 }), 0);
}

int main(void)
{
	pid_t me = getpid();
	struct waker waker;
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGRTMIN + 2);
	NEED(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
	waker = victim_waker(wake, &me);
	while (victim_round()) {
		siginfo_t info = { 0 };

		victim_wait(&waker);
		CHECK_EQ(sigwaitinfo(&set, &info), SIGRTMIN + 2);
		CHECK_EQ(info.si_value.sival_int, 99);
		CHECK_EQ(info.si_pid, waker.pid);
	}
	victim_waker_end(&waker);
	return victim_end();
}
