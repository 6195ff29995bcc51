/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sig_from_child.c - signals from another process arrive with its pid, also while computing without
 * a call
 */
#include "victim.h"

#include <signal.h>
#include <unistd.h>

static volatile sig_atomic_t count, sender;

static void on_signal(int signal, siginfo_t *info, void *context)
{
	sender = info->si_pid;
	count++;
}

static void send(void *victim)
{
	victim_pause(1000 * 1000);
	CHECK_EQ(kill(*(pid_t *)victim, SIGUSR1), 0);
}

int main(void)
{
	struct sigaction sa = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO };
	pid_t me = getpid();
	int want = 0;

	NEED(sigaction(SIGUSR1, &sa, NULL) == 0);
	victim_ready();
	while (victim_round()) {
		pid_t child = victim_child(send, &me);

		/* not one call until it came */
		while (count == want)
			__asm__ volatile("pause");
		CHECK_EQ(count, ++want);
		CHECK_EQ(sender, child);
		victim_reap(child);
	}
	return victim_end();
}
