/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sig_handler.c - handlers run for signals to itself, with number, sender and the mask that was
 * asked for
 */
#include "victim.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

static const int signals[] = {
	SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2, SIGTERM, SIGWINCH, SIGURG
};
#define N (sizeof(signals) / sizeof(signals[0]))

static volatile sig_atomic_t counts[65];
static siginfo_t last;
static sigset_t mask_inside;

static void on_signal(int signal, siginfo_t *info, void *context)
{
	counts[signal]++;
	last = *info;
	(void)sigprocmask(SIG_BLOCK, NULL, &mask_inside);
}

int main(void)
{
	struct sigaction sa = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO }, got;
	sigset_t mask;
	int round = 0;

	NEED(sigaddset(&sa.sa_mask, SIGALRM) == 0);
	for (size_t i = 0; i < N; i++)
		NEED(sigaction(signals[i], &sa, NULL) == 0);
	victim_ready();
	while (victim_round()) {
		round++;
		for (size_t i = 0; i < N; i++) {
			memset(&last, 0, sizeof(last));
			CHECK_EQ(kill(getpid(), signals[i]), 0);
			/* with one thread, and not blocked: it is delivered before kill() returns
			 */
			CHECK_EQ(counts[signals[i]], round);
			CHECK_EQ(last.si_signo, signals[i]);
			CHECK_EQ(last.si_code, SI_USER);
			CHECK_EQ(last.si_pid, getpid());
			CHECK_EQ(last.si_uid, getuid());
			CHECK(sigismember(&mask_inside, signals[i]) &&
			      sigismember(&mask_inside, SIGALRM));
			CHECK_EQ(sigprocmask(SIG_BLOCK, NULL, &mask), 0);
			CHECK(!sigismember(&mask, signals[i]) && !sigismember(&mask, SIGALRM));
			CHECK_EQ(sigaction(signals[i], NULL, &got), 0);
			CHECK(got.sa_sigaction == on_signal);
		}
	}
	return victim_end();
}
