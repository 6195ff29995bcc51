/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cache.h - files kept by the SHA-256 of their content, shared by the workers of a node
 *
 * DIR/HEX is a whole, verified file. Whoever fetches one holds a lock on DIR/HEX.lock, writes a
 * file without a name and links it when it is whole, so that two workers do not fetch the same file
 * twice and nobody ever sees half of one. The workers of a node may be different users who share a
 * group and a sticky directory (node/box.h).
 */
#ifndef BLAST_RUN_CACHE_H
#define BLAST_RUN_CACHE_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "blast/run/digest.h"

struct cache_key {
	uint8_t sha256[DIGEST_LEN];
	uint64_t size;
};

struct cache_part; /* a file being fetched */

/** cache_find() - Open a file; -ENOENT when it is not there or has another size */
int cache_find(const char *dir, const struct cache_key *k, char ret_path[PATH_MAX], int *ret_fd)
	MUST_CHECK;

/** cache_drop() - Remove a file that turned out to be damaged; -errno, it may be another user's */
int cache_drop(const char *dir, const struct cache_key *k, struct err *e) MUST_CHECK;

/**
 * cache_begin() - Become the one who fetches a file
 *
 * Return: 0, -EAGAIN somebody else is at it, -EEXIST it is there now, other -errno
 */
int cache_begin(const char *dir, const struct cache_key *k, struct cache_part **ret, struct err *e)
	MUST_CHECK;

/** cache_add() - The next bytes; offset must be where the last ones ended */
int cache_add(struct cache_part *p, uint64_t offset, const void *data, size_t len, struct err *e)
	MUST_CHECK;

/** cache_is_whole() - Has it all its bytes? */
bool cache_is_whole(const struct cache_part *p);

/** cache_commit() - Verify it and put it under its name; p is freed whatever happens */
int cache_commit(struct cache_part *p, char ret_path[PATH_MAX], struct err *e) MUST_CHECK;

/** cache_abort() - Forget what was fetched; NULL is fine */
void cache_abort(struct cache_part *p);

#endif
