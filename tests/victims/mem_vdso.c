/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mem_vdso.c - clocks read without a system call agree with the system calls and never go backwards
 */
#include "victim.h"

#include <sched.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

static int64_t by_call(clockid_t clock)
{
	struct timespec t;

	NEED(syscall(SYS_clock_gettime, clock, &t) == 0);
	return t.tv_sec * NS_PER_S + t.tv_nsec;
}

int main(void)
{
	static const clockid_t clocks[] = { CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_MONOTONIC_RAW,
					    CLOCK_MONOTONIC_COARSE };
	int64_t last[4] = { 0 };
	unsigned int cpu, node;

	victim_ready();
	while (victim_round()) {
		for (int i = 0; i < 4; i++) {
			int64_t before = by_call(clocks[i]), between = victim_now(clocks[i]);
			int64_t after = by_call(clocks[i]);

			CHECK(before <= between && between <= after);
			CHECK(last[i] <= before);
			last[i] = after;
		}
		for (int i = 0; i < 100; i++) {
			struct timeval day;
			int64_t before = victim_now(CLOCK_REALTIME), between;

			CHECK_EQ(gettimeofday(&day, NULL), 0);
			between = day.tv_sec * NS_PER_S + day.tv_usec * 1000LL;
			CHECK(before / 1000 <= between / 1000 &&
			      between <= victim_now(CLOCK_REALTIME));
		}
		CHECK_EQ(syscall(SYS_getcpu, &cpu, &node, NULL), 0);
		CHECK(sched_getcpu() >= 0);
	}
	return victim_end();
}
