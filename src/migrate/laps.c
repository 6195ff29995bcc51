/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "migrate/laps.h"

#include <stdio.h>
#include <string.h>

void laps_start(struct laps *l, uint64_t now_us)
{
	*l = (struct laps){ .last_us = now_us };
}

void laps_mark(struct laps *l, const char *name, uint64_t now_us)
{
	uint32_t us = (uint32_t)(now_us - l->last_us);

	l->last_us = now_us;
	if (l->n && !strcmp(l->lap[l->n - 1].name, name)) {
		l->lap[l->n - 1].us += us;
		return;
	}
	if (l->n == LAPS_MAX)
		return;
	l->lap[l->n].name = name;
	l->lap[l->n++].us = us;
}

const char *laps_text(const struct laps *l, char *to)
{
	size_t at = 0;

	to[0] = '\0';
	for (size_t i = 0; i < l->n && at < LAPS_TEXT_MAX; i++)
		at += (size_t)snprintf(to + at, LAPS_TEXT_MAX - at, "%s%s %u.%02u", i ? ", " : "",
				       l->lap[i].name, l->lap[i].us / 1000,
				       l->lap[i].us % 1000 / 10);
	return to;
}
