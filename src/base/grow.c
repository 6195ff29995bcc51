/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/grow.h"

#include <stdint.h>
#include <stdlib.h>

void *grow(void *rows, size_t n, size_t *cap, size_t first, size_t bytes)
{
	size_t more = *cap ? 2 * *cap : first;
	void *p;

	if (n < *cap)
		return rows;
	if (more <= *cap || more > SIZE_MAX / bytes)
		return NULL;
	p = realloc(rows, more * bytes);
	if (p)
		*cap = more;
	return p;
}
