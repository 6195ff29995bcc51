/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sig_suspend.c - sigsuspend waits with another mask, returns after the handler and restores the
 * old mask
 */
#include "victim.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

static volatile sig_atomic_t first, second;

static void on_first(int signal)
{
	first++;
}

static void on_second(int signal)
{
	second++;
}

static void send(void *victim)
{
	CHECK_EQ(kill(*(pid_t *)victim, SIGUSR2), 0); /* stays blocked */
	victim_pause(1000 * 1000);
	CHECK_EQ(kill(*(pid_t *)victim, SIGUSR1), 0);
}

int main(void)
{
	sigset_t both, only_second, now;
	pid_t me = getpid();
	int n = 0;

	(void)signal(SIGUSR1, on_first);
	(void)signal(SIGUSR2, on_second);
	(void)sigemptyset(&both);
	(void)sigaddset(&both, SIGUSR2);
	only_second = both;
	(void)sigaddset(&both, SIGUSR1);
	NEED(sigprocmask(SIG_BLOCK, &both, NULL) == 0);
	victim_ready();
	while (victim_round()) {
		pid_t child = victim_child(send, &me);

		CHECK_ERR(sigsuspend(&only_second), EINTR);
		CHECK_EQ(first, ++n);
		CHECK_EQ(second, n - 1);
		CHECK_EQ(sigprocmask(SIG_BLOCK, NULL, &now), 0);
		CHECK(sigismember(&now, SIGUSR1) && sigismember(&now, SIGUSR2));
		CHECK_EQ(sigprocmask(SIG_UNBLOCK, &only_second, NULL), 0);
		CHECK_EQ(second, n);
		CHECK_EQ(sigprocmask(SIG_BLOCK, &only_second, NULL), 0);
		victim_reap(child);
	}
	return victim_end();
}
