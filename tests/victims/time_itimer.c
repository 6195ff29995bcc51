/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * time_itimer.c - repeating real, virtual and profiling timers go on and never run ahead of their
 * clock
 */
#include "victim.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/time.h>

#define REAL_US 4000
#define CPU_US	8000

static volatile sig_atomic_t n_real, n_virtual, n_prof;

static void on_timer(int signal)
{
	if (signal == SIGALRM)
		n_real++;
	else if (signal == SIGVTALRM)
		n_virtual++;
	else
		n_prof++;
}

static void arm(int which, int signal_, long us)
{
	struct itimerval every = { { 0, us }, { 0, us } };

	(void)signal(signal_, on_timer);
	NEED(setitimer(which, &every, NULL) == 0);
}

int main(void)
{
	int64_t began = victim_now(CLOCK_MONOTONIC);
	int before = 0, round = 0;

	arm(ITIMER_REAL, SIGALRM, REAL_US);
	arm(ITIMER_VIRTUAL, SIGVTALRM, CPU_US);
	arm(ITIMER_PROF, SIGPROF, CPU_US);
	victim_ready();
	while (victim_round()) {
		struct itimerval now;
		int v = n_virtual, p = n_prof;

		while (n_real == before)
			victim_pause(500 * 1000);
		before = n_real;
		CHECK(n_real <= (victim_now(CLOCK_MONOTONIC) - began) / (REAL_US * 1000LL));
		CHECK_EQ(getitimer(ITIMER_REAL, &now), 0);
		CHECK_EQ(now.it_interval.tv_usec, REAL_US);
		CHECK(now.it_value.tv_sec == 0 && now.it_value.tv_usec <= REAL_US);
		CHECK_EQ(getitimer(ITIMER_PROF, &now), 0);
		CHECK(now.it_interval.tv_usec >= CPU_US); /* rounded up to ticks of the kernel */
		/* every few rounds, compute until both processor timers have fired */
		while (round % 5 == 0 && (n_virtual == v || n_prof == p))
			for (volatile int i = 0; i < 10000; i++)
				;
		round++;
	}
	return victim_end();
}
