/* SPDX-License-Identifier: GPL-2.0-or-later */
/* proc_limit_cpu.c - SIGXCPU comes when so many seconds were computed, not before, and again a second later */
#include "victim.h"

#include <signal.h>
#include <sys/resource.h>

#define EVERY 10 /* rounds: it takes a second of computing */
#define SLACK_NS                                                                                   \
	(NS_PER_S / 4 * 3) /* on a busy machine ticks hit one process more often than others */

static volatile sig_atomic_t said;

static void on_signal(int signal)
{
	said++;
}

int main(void)
{
	struct rlimit l, got;

	(void)signal(SIGXCPU, on_signal);
	NEED(getrlimit(RLIMIT_CPU, &l) == 0);
	victim_ready();
	for (int round = 1; victim_round(); round++) {
		int64_t spent = victim_now(CLOCK_PROCESS_CPUTIME_ID);
		int before = said;

		if (round % EVERY != 0)
			continue;
		l.rlim_cur = (rlim_t)(spent / NS_PER_S) + 1;
		CHECK_EQ(setrlimit(RLIMIT_CPU, &l), 0);
		CHECK_EQ(getrlimit(RLIMIT_CPU, &got), 0);
		CHECK(got.rlim_cur >= l.rlim_cur && got.rlim_cur <= l.rlim_cur + 1);
		while (said == before)
			for (volatile int i = 0; i < 10000; i++)
				;
		spent = victim_now(CLOCK_PROCESS_CPUTIME_ID);
		/* the kernel counts by ticks for this limit, in ns for the clock */
		CHECK(spent + SLACK_NS >= (int64_t)l.rlim_cur * NS_PER_S);
		/* the kernel counts on */
		CHECK_EQ(getrlimit(RLIMIT_CPU, &got), 0);
		CHECK(got.rlim_cur > l.rlim_cur);
		l.rlim_cur = l.rlim_max;
		CHECK_EQ(setrlimit(RLIMIT_CPU, &l), 0);
	}
	return victim_end();
}
