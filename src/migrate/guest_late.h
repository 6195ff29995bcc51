/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest_late.h - what a guest's agent knows of the pages that are still at home: guest_late.c */
#ifndef MIGRATE_GUEST_LATE_H
#define MIGRATE_GUEST_LATE_H

#include <stdbool.h>
#include <stdint.h>

#include "loop/loop.h"
#include "migrate/late.h"
#include "migrate/prefetch.h"

#define GUEST_FETCHES_MAX 512

/* a FETCH that was not answered yet */
struct guest_fetch {
	uint64_t at, n;
	uint64_t since_us;
	bool urgent; /* somebody waits for it */
};

/* pages that the kernel could not take at that moment */
struct guest_later {
	struct guest_later *next;
	uint64_t at, n; /* in pages of the guest */
	bool zero;
	uint8_t bytes[];
};

#define GUEST_UNSTEADY 16

/* a place that was given back a moment ago */
struct guest_unsteady {
	uint64_t start, end;
	uint64_t until_us;
};

struct guest_late {
	bool prepared; /* missing pages can be told */
	bool on;       /* and are */
	bool done;     /* all of them have come, and home knows */
	int pagemap;
	struct ev_ref ref;
	struct late table;
	struct prefetch order;
	struct guest_fetch fetches[GUEST_FETCHES_MAX];
	size_t n_fetches;
	uint32_t in_flight; /* pages that were asked for ahead */
	struct guest_later *later;
	struct ev_ref soon_ref;
	struct guest_unsteady unsteady[GUEST_UNSTEADY];
	size_t last_unsteady;
	uint64_t zero_end, zero_pages; /* of zeroes given last */
	uint64_t n_faults, began_us;
};

#endif
