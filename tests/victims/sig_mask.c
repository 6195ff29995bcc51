/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sig_mask.c - blocked signals stay pending over the rest between rounds and come when unblocked,
 * once each
 */
#include "victim.h"

#include <signal.h>
#include <unistd.h>

static volatile sig_atomic_t count;

static void on_signal(int signal)
{
	count++;
}

int main(void)
{
	sigset_t set, pending, old;
	bool sent = false;

	(void)signal(SIGUSR1, on_signal);
	(void)signal(SIGUSR2, on_signal);
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGUSR1);
	(void)sigaddset(&set, SIGUSR2);
	NEED(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
	victim_ready();
	while (victim_round()) {
		CHECK_EQ(sigpending(&pending), 0);
		CHECK_EQ(sigismember(&pending, SIGUSR1), sent);
		CHECK_EQ(sigismember(&pending, SIGUSR2), 0);
		CHECK_EQ(count, 0);
		if (sent) {
			CHECK_EQ(sigprocmask(SIG_UNBLOCK, &set, &old), 0);
			CHECK(sigismember(&old, SIGUSR1) && sigismember(&old, SIGUSR2));
			CHECK_EQ(count,
				 1); /* three were sent, and one kept: it is no real-time signal */
			count = 0;
			CHECK_EQ(sigprocmask(SIG_BLOCK, &set, NULL), 0);
		} else {
			for (int i = 0; i < 3; i++)
				CHECK_EQ(kill(getpid(), SIGUSR1), 0);
		}
		sent = !sent;
	}
	return victim_end();
}
