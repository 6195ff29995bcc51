/* SPDX-License-Identifier: GPL-2.0-or-later */
/* counters.c - what comosixd counts; shown by STATUS */
#include "node/counters.h"

static const char *const names[N_COUNTERS] = {
#define COUNTER_NAME(name) #name,
	COUNTERS(COUNTER_NAME)
#undef COUNTER_NAME
};

const char *counter_name(enum counter which)
{
	return names[which];
}
