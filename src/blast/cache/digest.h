/* SPDX-License-Identifier: GPL-2.0-or-later */
/* digest.h - SHA-256 of files, whole or step by step */
#ifndef BLAST_CACHE_DIGEST_H
#define BLAST_CACHE_DIGEST_H

#include <stdint.h>

#include "base/err.h"

#define DIGEST_LEN 32

struct digest;

int digest_new(struct digest **ret) MUST_CHECK;
int digest_add(struct digest *d, const void *p, size_t n) MUST_CHECK;

/** digest_end() - The digest; d is freed */
void digest_end(struct digest *d, uint8_t ret[DIGEST_LEN]);
void digest_free(struct digest *d);

/**
 * digest_step() - Read on in a file, at most @most bytes
 *
 * Return: 1 there may be more, 0 end of file, -errno
 */
int digest_step(struct digest *d, int fd, size_t most) MUST_CHECK;

/** digest_file() - Of a whole open file, from its start */
int digest_file(int fd, uint8_t ret[DIGEST_LEN]) MUST_CHECK;

#endif
