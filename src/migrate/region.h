/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * region.h - our own piece of a moved process's address space, at the same place in both halves
 *
 *	0		code of the parasite, and at its end the limits as they were (stub)
 *	64 KiB		area of injected batches: a page of code, then data (both)
 *	2 MiB		slots of the parasite, one per thread (stub); reserved, no access (guest)
 *
 * It is chosen at home in a hole, so it is free in the guest as well, and stays so because the guest
 * cannot map over what is mapped unless it says MAP_FIXED; then it harms itself.
 */
#ifndef MIGRATE_REGION_H
#define MIGRATE_REGION_H

#include "forward/home/parasite.h"
#include "image/image.h"

#define REGION_CODE_BYTES  65536
#define REGION_LIMITS	   (REGION_CODE_BYTES - IMAGE_LIMITS * sizeof(struct image_limit))
#define REGION_BATCH	   REGION_CODE_BYTES
#define REGION_BATCH_BYTES (1U << 20)
#define REGION_SLOTS	   (2U << 20)
_Static_assert(PARASITE_CODE_BYTES <= REGION_LIMITS, "the code has room");
_Static_assert(IMAGE_THREADS_MAX <= PARASITE_SLOTS, "a slot for each thread");

#define REGION_BYTES (REGION_SLOTS + (uint64_t)IMAGE_THREADS_MAX * PARASITE_SLOT_BYTES)

static inline uint64_t region_slot(uint64_t region, unsigned int slot)
{
	return region + REGION_SLOTS + (uint64_t)slot * PARASITE_SLOT_BYTES;
}

#endif
