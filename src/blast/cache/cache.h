/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cache.h - files kept by the SHA-256 of their content, shared by the workers of a node
 *
 * Theory of operation. The workers of a node may be different users who share a group and a sticky
 * directory (node/box.h), and none of them can be trusted by another. The owner of a file can
 * change it at any time, so a worker uses only files of root's and its own:
 *
 *	DIR/HEX       for all workers. Linked by the one who fetched it, and given to root by the
 *	              daemon (keep.h) at once; until then others wait for that
 *	DIR/HEX.UID   for the worker of that uid alone: when DIR/HEX is taken by something that is
 *	              not fit for use and that it may not remove. Becomes DIR/HEX by the daemon
 *	DIR/HEX.lock  locked by the one who fetches DIR/HEX, so that two do not fetch the same; the
 *	              time of its last change shows that the fetch goes on
 *
 * A file is written without a name, and gets one when it is whole, verified, on disk and no longer
 * open for writing: nobody ever sees half of one, and the daemon can tell that no writer is left.
 * Who uses a file holds a shared lock on it, by the fd that it gets here; the daemon removes no
 * file that is locked (node/sweep.h). Locks are a courtesy between honest workers: what a hostile
 * one does with them costs the others time (CACHE_ALONE), never a wrong byte. That a file is right
 * is found by its digest, at each use, by whoever uses it; that it stays right follows from its
 * owner.
 */
#ifndef BLAST_CACHE_CACHE_H
#define BLAST_CACHE_CACHE_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "blast/cache/digest.h"

struct cache_key {
	uint8_t sha256[DIGEST_LEN];
	uint64_t size;
};

enum cache_how {
	CACHE_SHARED, /* what is there for all; fetch under the lock */
	CACHE_ALONE,  /* the lock is not waited for any more */
	CACHE_OWN,    /* nor is DIR/HEX looked at: it is damaged and cannot be removed */
};

struct cache_part; /* a file being fetched */

/**
 * cache_find() - Open a file that may be used
 * @dir, @k:	Which
 * @how:	Where to look
 * @ret_path:	Its name; stays right while the fd is open
 * @ret_fd:	Open for reading, locked for use; the caller's, to be kept as long as it is used
 *
 * Return: 0, -ENOENT it is to be fetched, -EBUSY another worker's that is not root's yet (it will
 * be, or will be removed, in a moment), other -errno
 */
int cache_find(const char *dir, const struct cache_key *k, enum cache_how how,
	       char ret_path[PATH_MAX], int *ret_fd) MUST_CHECK;

/** cache_drop() - Remove a file that turned out to be damaged; -errno, it may be another user's */
int cache_drop(const char *path, struct err *e) MUST_CHECK;

/**
 * cache_begin() - Become the one who fetches a file
 *
 * Return: 0, -EAGAIN somebody else is at it (not with CACHE_ALONE, CACHE_OWN), -EEXIST it is there
 * now, -ENOSPC the disk would be too full, other -errno
 */
int cache_begin(const char *dir, const struct cache_key *k, enum cache_how how,
		struct cache_part **ret, struct err *e) MUST_CHECK;

/** cache_progress() - A number that changes when the one who is waited for gets on */
uint64_t cache_progress(const char *dir, const struct cache_key *k);

/** cache_add() - The next bytes; offset must be where the last ones ended */
int cache_add(struct cache_part *p, uint64_t offset, const void *data, size_t len, struct err *e)
	MUST_CHECK;

/** cache_is_whole() - Has it all its bytes? */
bool cache_is_whole(const struct cache_part *p);

/**
 * cache_commit() - Verify it and put it under its name
 * @p:		Freed whatever happens
 * @ret_path, @ret_fd: As from cache_find()
 * @e:		Reason
 *
 * Return: 0, -EEXIST somebody else was faster (look again, and check what is there), other -errno
 */
int cache_commit(struct cache_part *p, char ret_path[PATH_MAX], int *ret_fd, struct err *e)
	MUST_CHECK;

/** cache_abort() - Forget what was fetched; NULL is fine */
void cache_abort(struct cache_part *p);

#endif
