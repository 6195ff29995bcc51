/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * proc_nice.c - the nice value and the scheduling policy stay as set, are seen in /proc and
 * inherited
 */
#include "victim.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define NICE 7

static long nice_in_proc(void)
{
	char text[1024], *end;
	long nice_ = -99;

	if (CHECK(victim_slurp("/proc/self/stat", text, sizeof(text)) > 0) &&
	    (end = strrchr(text, ')')))
		CHECK_EQ(sscanf(end + 2,
				"%*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s "
				"%ld",
				&nice_),
			 1);
	return nice_;
}

static void inherit(void *unused)
{
	CHECK_EQ(getpriority(PRIO_PROCESS, 0), NICE);
	CHECK_EQ(sched_getscheduler(0), SCHED_BATCH);
}

int main(void)
{
	struct sched_param none = { 0 };

	NEED(setpriority(PRIO_PROCESS, 0, NICE) == 0);
	NEED(sched_setscheduler(0, SCHED_BATCH, &none) == 0);
	victim_ready();
	while (victim_round()) {
		errno = 0;
		CHECK_EQ(getpriority(PRIO_PROCESS, 0), NICE);
		CHECK_EQ(nice_in_proc(), NICE);
		CHECK_EQ(sched_getscheduler(0), SCHED_BATCH);
		CHECK_EQ(sched_get_priority_max(SCHED_OTHER), 0);
		CHECK_EQ(sched_setscheduler(0, SCHED_OTHER, &none), 0);
		CHECK_EQ(sched_getscheduler(0), SCHED_OTHER);
		CHECK_EQ(sched_setscheduler(0, SCHED_BATCH, &none), 0);
		victim_reap(victim_child(inherit, NULL));
	}
	return victim_end();
}
