/* SPDX-License-Identifier: GPL-2.0-or-later */
/* clock.c - now */
#include "os/clock.h"

#include <time.h>

uint64_t clock_boot_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

uint64_t clock_boot_ms(void)
{
	return clock_boot_us() / 1000;
}

int64_t clock_wall_s(void)
{
	return (int64_t)time(NULL);
}
