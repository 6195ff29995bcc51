/* SPDX-License-Identifier: GPL-2.0-or-later */
/* proc_affinity.c - a thread runs on the processors it was bound to, and is told which these are */
#include "victim.h"

#include <errno.h>
#include <sched.h>
#include <unistd.h>

int main(void)
{
	cpu_set_t all, one, got;
	int cpu = -1;

	NEED(sched_getaffinity(0, sizeof(all), &all) == 0);
	victim_ready();
	while (victim_round()) {
		if (cpu >= 0) {
			CHECK_EQ(sched_getaffinity(0, sizeof(got), &got), 0);
			CHECK_EQ(CPU_COUNT(&got), 1);
			CHECK(CPU_ISSET(cpu, &got));
			CHECK_EQ(sched_getcpu(), cpu);
		}
		do
			cpu = (cpu + 1) % CPU_SETSIZE;
		while (!CPU_ISSET(cpu, &all));
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		CHECK_EQ(sched_setaffinity(0, sizeof(one), &one), 0);
		CHECK_EQ(sched_getcpu(), cpu);
		CPU_ZERO(&got);
		CHECK_ERR(sched_setaffinity(0, sizeof(got), &got), EINVAL);
	}
	return victim_end();
}
