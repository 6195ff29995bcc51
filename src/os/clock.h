/* SPDX-License-Identifier: GPL-2.0-or-later */
/* clock.h - now */
#ifndef OS_CLOCK_H
#define OS_CLOCK_H

#include <stdint.h>

/** clock_boot_ms() - Milliseconds since boot, suspend counted (CLOCK_BOOTTIME): for deadlines */
uint64_t clock_boot_ms(void);

/** clock_boot_us() - The same in microseconds: for measuring */
uint64_t clock_boot_us(void);

/** clock_wall_s() - Seconds since 1970, UTC: for people and certificates, never for deadlines */
int64_t clock_wall_s(void);

#endif
