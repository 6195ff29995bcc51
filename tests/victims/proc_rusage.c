/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * proc_rusage.c - the processor time used only grows, by getrusage, times, clocks and /proc, and
 * children are summed
 */
#include "victim.h"

#include <sys/resource.h>
#include <sys/times.h>
#include <sys/wait.h>
#include <unistd.h>

static int64_t used_ns(int who)
{
	struct rusage u;

	NEED(getrusage(who, &u) == 0);
	return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * NS_PER_S +
	       (u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1000LL;
}

static void compute(int64_t ns)
{
	int64_t until = victim_now(CLOCK_PROCESS_CPUTIME_ID) + ns;

	while (victim_now(CLOCK_PROCESS_CPUTIME_ID) < until)
		for (volatile int i = 0; i < 1000; i++)
			;
}

static void child(void *unused)
{
	compute(3 * 1000 * 1000);
}

int main(void)
{
	int64_t first = used_ns(RUSAGE_SELF), before = first, children = 0;
	clock_t ticks = 0;
	int n = 0;

	victim_ready();
	while (victim_round()) {
		int64_t clock_before = victim_now(CLOCK_PROCESS_CPUTIME_ID), now;
		struct tms t;

		compute(4 * 1000 * 1000);
		CHECK(victim_now(CLOCK_PROCESS_CPUTIME_ID) >= clock_before + 4 * 1000 * 1000);
		now = used_ns(RUSAGE_SELF);
		CHECK(now >= before);
		before = now;
		/* all rounds together, wherever they ran: a tick of doubt, for getrusage() scales
		 */
		CHECK(now - first >= ++n * 4000LL * 1000 - 10LL * 1000 * 1000);
		CHECK(times(&t) != (clock_t)-1);
		CHECK(t.tms_utime + t.tms_stime >= ticks);
		ticks = t.tms_utime + t.tms_stime;

		victim_reap(victim_child(child, NULL));
		now = used_ns(RUSAGE_CHILDREN);
		CHECK(now >= children + 2 * 1000 * 1000);
		children = now;
		CHECK(victim_now(CLOCK_THREAD_CPUTIME_ID) <= victim_now(CLOCK_PROCESS_CPUTIME_ID));
	}
	return victim_end();
}
