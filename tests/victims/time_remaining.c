/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * time_remaining.c - an interrupted sleep or select tells how much of it is left: all of it less
 * what is past
 */
#include "victim.h"

#include <errno.h>
#include <signal.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define HOUR_S 3600

/* of timers, prctl(2): the kernel counts it into what is left of a sleep that was interrupted at once */
#define SLACK_NS 50000

static void on_signal(int signal)
{
}

/* until it is killed: a signal that comes before the call that it is meant for is not the only one
 */
static void kick_on(void *victim)
{
	for (;;) {
		victim_pause(2 * 1000 * 1000);
		(void)kill(*(pid_t *)victim, SIGUSR1);
	}
}

int main(void)
{
	struct sigaction sa = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
	pid_t me = getpid();

	NEED(sigaction(SIGUSR1, &sa, NULL) == 0);
	victim_ready();
	while (victim_round()) {
		const struct timespec hour = { HOUR_S, 0 };
		struct timespec left = { 0, 0 };
		struct timeval tv = { HOUR_S, 0 };
		pid_t child = victim_child(kick_on, &me);
		int64_t began, past;

		/* elapsed as seen here is never less than what the kernel took off */
		began = victim_now(CLOCK_MONOTONIC);
		CHECK_ERR(nanosleep(&hour, &left), EINTR);
		past = victim_now(CLOCK_MONOTONIC) - began;
		CHECK(left.tv_sec * NS_PER_S + left.tv_nsec + past >= HOUR_S * NS_PER_S);
		CHECK(left.tv_sec * NS_PER_S + left.tv_nsec < HOUR_S * NS_PER_S + SLACK_NS);

		began = victim_now(CLOCK_MONOTONIC);
		/* the bare call: glibc's select() does not tell what is left */
		CHECK_ERR(syscall(SYS_select, 0, NULL, NULL, NULL, &tv), EINTR);
		past = victim_now(CLOCK_MONOTONIC) - began;
		/* its answer is in whole microseconds */
		CHECK(tv.tv_sec * NS_PER_S + (tv.tv_usec + 1) * 1000LL + past >= HOUR_S * NS_PER_S);
		CHECK(tv.tv_sec < HOUR_S);

		CHECK_EQ(kill(child, SIGKILL), 0);
		while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
			;
	}
	return victim_end();
}
