/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * time_timer_cpu.c - timers on the processor time of process and thread fire after so much
 * computing, not before
 */
#include "victim.h"

#include <signal.h>
#include <pthread.h>

#define SPEND_NS (5 * 1000 * 1000)

static volatile sig_atomic_t fired;

static void on_timer(int signal)
{
	fired++;
}

int main(void)
{
	static const clockid_t clocks[] = { CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	struct itimerspec spend = { { 0, 0 }, { 0, SPEND_NS } };
	timer_t timers[2];
	int n = 0;

	(void)signal(SIGUSR1, on_timer);
	for (int i = 0; i < 2; i++)
		NEED(timer_create(clocks[i], &event, &timers[i]) == 0);
	victim_ready();
	while (victim_round()) {
		int which = n % 2;
		int64_t began = victim_now(CLOCK_MONOTONIC);

		CHECK_EQ(timer_settime(timers[which], 0, &spend, NULL), 0);
		while (fired == n)
			for (volatile int i = 0; i < 1000; i++)
				;
		CHECK_EQ(fired, ++n);
		/* it computes no longer than time passes; CPU clocks step back at home */
		CHECK(victim_now(CLOCK_MONOTONIC) - began >= SPEND_NS);
	}
	return victim_end();
}
