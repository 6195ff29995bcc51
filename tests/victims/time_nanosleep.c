/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * time_nanosleep.c - sleeps of all kinds never end before their time, on three clocks, relative and
 * absolute
 */
#include "victim.h"

#include <errno.h>
#include <unistd.h>

#define BRIEF_NS (2 * 1000 * 1000)

int main(void)
{
	static const clockid_t clocks[] = { CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_REALTIME };
	const struct timespec brief = { 0, BRIEF_NS }, wrong = { 0, 1000000000 };

	victim_ready();
	while (victim_round()) {
		int64_t began = victim_now(CLOCK_MONOTONIC);
		struct timespec at;

		CHECK_EQ(nanosleep(&brief, NULL), 0);
		CHECK(victim_now(CLOCK_MONOTONIC) - began >= BRIEF_NS);
		CHECK_ERR(nanosleep(&wrong, NULL), EINVAL);
		began = victim_now(CLOCK_MONOTONIC);
		CHECK_EQ(usleep(2000), 0);
		CHECK(victim_now(CLOCK_MONOTONIC) - began >= BRIEF_NS);
		for (int i = 0; i < 3; i++) {
			int64_t until = victim_now(clocks[i]) + BRIEF_NS;

			at = (struct timespec){ until / NS_PER_S, until % NS_PER_S };
			CHECK_EQ(clock_nanosleep(clocks[i], TIMER_ABSTIME, &at, NULL), 0);
			CHECK(victim_now(clocks[i]) >= until);
			/* a time that is past */
			at.tv_sec -= 10;
			CHECK_EQ(clock_nanosleep(clocks[i], TIMER_ABSTIME, &at, NULL), 0);
		}
	}
	return victim_end();
}
