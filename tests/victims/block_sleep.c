/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * block_sleep.c - sleeps by nanosleep() and to a point of time by clock_nanosleep(), never too
 * short
 */
#include "victim.h"

#include <errno.h>

#define FIRST_NS (400LL * 1000 * 1000) /* long enough to be moved in it */
#define LATER_NS (5LL * 1000 * 1000)

int main(void)
{
	int64_t ns = FIRST_NS;

	while (victim_round()) {
		int64_t began = victim_now(CLOCK_MONOTONIC), until;
		struct timespec t = { 0, ns };

		victim_blocking();
		CHECK_EQ(nanosleep(&t, NULL), 0);
		CHECK(victim_now(CLOCK_MONOTONIC) - began >= ns);
		until = victim_now(CLOCK_MONOTONIC) + ns;
		t = (struct timespec){ until / NS_PER_S, until % NS_PER_S };
		CHECK_EQ(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL), 0);
		CHECK(victim_now(CLOCK_MONOTONIC) >= until);
		ns = LATER_NS;
	}
	return victim_end();
}
