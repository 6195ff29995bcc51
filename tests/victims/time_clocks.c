/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * time_clocks.c - steady clocks never go backwards, and agree with each other to a second over all
 * rounds
 */
#include "victim.h"

#include <sys/sysinfo.h>
#include <time.h>

int main(void)
{
	int64_t first = victim_now(CLOCK_MONOTONIC), boot_first = victim_now(CLOCK_BOOTTIME);
	int64_t second = victim_now(CLOCK_MONOTONIC), last = second, boot_last = boot_first;
	struct timespec res;

	victim_ready();
	while (victim_round()) {
		int64_t before = victim_now(CLOCK_MONOTONIC), boot = victim_now(CLOCK_BOOTTIME);
		int64_t after = victim_now(CLOCK_MONOTONIC);
		struct sysinfo info;

		CHECK(before >= last && boot >= boot_last && after >= before);
		last = after;
		boot_last = boot;
		CHECK(boot - boot_first >= before - second - NS_PER_S);
		CHECK(boot - boot_first <= after - first + NS_PER_S);
		CHECK_EQ(clock_getres(CLOCK_MONOTONIC, &res), 0);
		CHECK(res.tv_sec == 0 && res.tv_nsec > 0);
		CHECK(time(NULL) > 1600000000);
		CHECK_EQ(sysinfo(&info), 0);
		CHECK(info.uptime > 0);
	}
	return victim_end();
}
