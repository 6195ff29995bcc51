/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * again.h - may a process go out again that has come home for a call? Pure
 *
 * Not one that came home three times within a second: it makes such calls all the time (a shell that
 * starts one small program after the other), and is faster where it need not come home for them.
 */
#ifndef CLUSTER_AGAIN_H
#define CLUSTER_AGAIN_H

#include <stdbool.h>
#include <stdint.h>

#define AGAIN_TIMES	3
#define AGAIN_WITHIN_MS 1000
#define AGAIN_STAYS	"three times within a second, and stays"

/* when it came, the last one first; all zero: never */
struct again {
	uint64_t came_ms[AGAIN_TIMES - 1];
	unsigned int n;
};

/** again_may() - It has come home now; the answer, and that is remembered */
bool again_may(struct again *a, uint64_t now_ms);

#endif
