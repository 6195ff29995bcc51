/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * parse.h - numbers, sizes and durations as people write them
 *
 * The whole string must fit: "12x", "", " 1" and "-1" are -EINVAL, what is too large is -ERANGE.
 */
#ifndef BASE_PARSE_H
#define BASE_PARSE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

int parse_u64(const char *s, uint64_t *ret) MUST_CHECK;
int parse_u32(const char *s, uint32_t *ret) MUST_CHECK;

/** parse_double() - A finite decimal number >= 0 ("0.5", "2", "1e-5") */
int parse_double(const char *s, double *ret) MUST_CHECK;

/** parse_size() - Bytes, with an optional K, M, G or T (powers of 1024): "64M" */
int parse_size(const char *s, uint64_t *ret_bytes) MUST_CHECK;

/** parse_duration() - Milliseconds; the unit ms, s, m, h or d is wanted: "500ms", "10m", "1d" */
int parse_duration(const char *s, uint64_t *ret_ms) MUST_CHECK;

/** hex_format() - 2n digits and a NUL into to, which holds 2n+1 bytes */
void hex_format(const uint8_t *p, size_t n, char *to);

#endif
