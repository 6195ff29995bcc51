/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rng.h - a seeded random number generator for pure code and tests
 *
 * xoshiro256** seeded by splitmix64 (Blackman and Vigna, "Scrambled linear pseudorandom number
 * generators", 2018). Same seed, same numbers, on every machine. Never for keys: use os/rand.h.
 */
#ifndef BASE_RNG_H
#define BASE_RNG_H

#include <stdint.h>

struct rng {
	uint64_t s[4];
};

void rng_init(struct rng *r, uint64_t seed);
uint64_t rng_u64(struct rng *r);

/** rng_below() - A number in [0, n), n > 0, without bias */
uint32_t rng_below(struct rng *r, uint32_t n);

/** rng_unit() - A number in [0, 1) */
double rng_unit(struct rng *r);

#endif
