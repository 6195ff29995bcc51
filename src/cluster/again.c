/* SPDX-License-Identifier: GPL-2.0-or-later */
/* again.c - may a process go out again that has come home for a call? */
#include "cluster/again.h"

#include <string.h>

#include "base/attr.h"

bool again_may(struct again *a, uint64_t now_ms)
{
	const size_t last = ARRAY_LEN(a->came_ms) - 1;
	bool often = a->n > last && now_ms - a->came_ms[last] <= AGAIN_WITHIN_MS;

	memmove(a->came_ms + 1, a->came_ms, last * sizeof(a->came_ms[0]));
	a->came_ms[0] = now_ms;
	if (a->n <= last)
		a->n++;
	return !often;
}
