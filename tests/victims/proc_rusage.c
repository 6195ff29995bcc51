/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * proc_rusage.c - the processor time used grows as it is used, by getrusage, times and clocks, and
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

static int64_t first, before; /* a sum of n rounds, and what there was of it last */
static clock_t ticks;
static int n;

static bool grows(void)
{
	int64_t began = victim_now(CLOCK_PROCESS_CPUTIME_ID), now;
	struct tms t;
	bool ok;

	compute(4 * 1000 * 1000);
	ok = victim_now(CLOCK_PROCESS_CPUTIME_ID) >= began + 4 * 1000 * 1000;
	now = used_ns(RUSAGE_SELF);
	CHECK(times(&t) != (clock_t)-1);
	ok = ok && now >= before && t.tms_utime + t.tms_stime >= ticks;
	/* all rounds together, wherever they ran: a tick of doubt, for getrusage() scales */
	ok = ok && now - first >= (n + 1) * 4000LL * 1000 - 10LL * 1000 * 1000;
	before = now;
	ticks = t.tms_utime + t.tms_stime;
	n = ok ? n + 1 : 0;
	first = ok ? first : now;
	return ok;
}

static bool thread_is_part(void)
{
	int64_t of_thread = victim_now(CLOCK_THREAD_CPUTIME_ID);

	return of_thread <= victim_now(CLOCK_PROCESS_CPUTIME_ID);
}

int main(void)
{
	int64_t children = 0, now;

	first = before = used_ns(RUSAGE_SELF);
	victim_ready();
	while (victim_round()) {
		/* what was used away is not known at home (docs/KNOWN-GAPS.md): it falls when we come there */
		CHECK(grows() || grows() || grows());
		CHECK(thread_is_part() || thread_is_part());

		victim_reap(victim_child(child, NULL));
		now = used_ns(RUSAGE_CHILDREN);
		CHECK(now >= children + 2 * 1000 * 1000);
		children = now;
	}
	return victim_end();
}
