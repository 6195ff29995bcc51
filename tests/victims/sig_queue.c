/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sig_queue.c - queued real-time signals arrive by number and then in the order sent, each with its
 * value
 */
#include "victim.h"

#include <signal.h>
#include <unistd.h>

#define N_KINDS 3
#define N_EACH	5

static volatile sig_atomic_t n_seen;
static struct {
	int signal, value, code;
	pid_t sender;
} seen[N_KINDS * N_EACH];

static void on_signal(int signal, siginfo_t *info, void *context)
{
	if (n_seen < N_KINDS * N_EACH) {
		seen[n_seen].signal = signal;
		seen[n_seen].value = info->si_value.sival_int;
		seen[n_seen].code = info->si_code;
		seen[n_seen].sender = info->si_pid;
	}
	n_seen++;
}

int main(void)
{
	struct sigaction sa = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO };
	sigset_t all;
	int value = 0;

	(void)sigfillset(
		&sa.sa_mask); /* one handler at a time, or the order is that of the frames */
	(void)sigemptyset(&all);
	for (int k = 0; k < N_KINDS; k++) {
		NEED(sigaction(SIGRTMIN + k, &sa, NULL) == 0);
		(void)sigaddset(&all, SIGRTMIN + k);
	}
	victim_ready();
	while (victim_round()) {
		n_seen = 0;
		CHECK_EQ(sigprocmask(SIG_BLOCK, &all, NULL), 0);
		for (int i = 0; i < N_EACH; i++)
			for (int k = N_KINDS - 1; k >= 0; k--)
				CHECK_EQ(sigqueue(getpid(), SIGRTMIN + k,
						  (union sigval){ .sival_int = value + k * N_EACH +
									       i }),
					 0);
		CHECK_EQ(n_seen, 0);
		victim_pause(1000 * 1000); /* pending signals are state as well */
		CHECK_EQ(sigprocmask(SIG_UNBLOCK, &all, NULL), 0);
		CHECK_EQ(n_seen, N_KINDS * N_EACH);
		for (int n = 0; n < N_KINDS * N_EACH; n++) {
			CHECK_EQ(seen[n].signal, SIGRTMIN + n / N_EACH);
			CHECK_EQ(seen[n].value, value + n);
			CHECK_EQ(seen[n].code, SI_QUEUE);
			CHECK_EQ(seen[n].sender, getpid());
		}
		value += 100;
	}
	return victim_end();
}
