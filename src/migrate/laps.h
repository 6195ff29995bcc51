/* SPDX-License-Identifier: GPL-2.0-or-later */
/* laps.h - where the time of a stop went: named laps of one stopwatch, for a line in the log */
#ifndef MIGRATE_LAPS_H
#define MIGRATE_LAPS_H

#include <stddef.h>
#include <stdint.h>

#define LAPS_MAX      12
#define LAPS_TEXT_MAX 512

struct laps {
	uint64_t last_us;
	size_t n;
	struct {
		const char *name; /* a constant */
		uint32_t us;
	} lap[LAPS_MAX];
};

/** laps_start() - Forget the old ones */
void laps_start(struct laps *l, uint64_t now_us);

/** laps_mark() - What ends now; a name that was the last one's makes that longer, too many are lost */
void laps_mark(struct laps *l, const char *name, uint64_t now_us);

/** laps_text() - "seize 0.2, read 1.1" in ms; Return: @to, which has room for LAPS_TEXT_MAX */
const char *laps_text(const struct laps *l, char *to);

#endif
