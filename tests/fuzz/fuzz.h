/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz.h - what a fuzz target exports, and how it says that a promise was broken */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/**
 * LLVMFuzzerTestOneInput() - Feed one input to the code under test
 * @data, @size: The input; data[size] is out of bounds
 *
 * The name is libFuzzer's. No state may be kept from one call to the next.
 *
 * Return: 0
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* a promise of the code under test; stays in every build, unlike assert() */
#define MUST(cond)                                                                                 \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			(void)fprintf(stderr, "%s:%d: broken promise: %s\n", __FILE__, __LINE__,   \
				      #cond);                                                      \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

#endif
