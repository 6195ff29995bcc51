/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * digests.h - the SHA-256 of files of this machine, each computed once
 *
 * Theory of operation. What was computed is kept in a file of records of fixed length that all
 * deputies and guests of the machine append to; the newest one for a file counts. A record is of a file
 * as it was: device, inode, size and both times must be the same when it is used again, and a file
 * that was changed within the last seconds is not kept, for its times could not tell another change.
 * The file lies in /run, so it does not outlive the numbers of devices. Only root opens it; who has
 * it open then keeps it, with fewer rights, as a descriptor.
 *
 * Which files: those of the shared root, that all nodes may have (shared_root_name()): system
 * directories, and readable by everybody, so that their digests are no secret of anybody.
 */
#ifndef MIGRATE_DIGESTS_H
#define MIGRATE_DIGESTS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/err.h"
#include "image/files.h"

#define DIGESTS_PATH   "/run/comosix/digests"
#define DIGESTS_BUDGET (256ULL << 20) /* bytes to hash for one move; the rest is sent this time */

struct digests {
	int fd;		/* -1: nothing is kept */
	uint8_t *bytes; /* owned: all records, as they were when it was opened */
	size_t n;	/* of them */
	uint64_t budget;
};

/** digests_open() - As root; without a file that can be made nothing is kept, and that is all */
void digests_open(struct digests *d, const char *path);
void digests_done(struct digests *d);

/**
 * digests_of() - Of an open regular file
 * @fd:		Open for reading
 * @ret:	Size and digest are set
 * @ret_st:	What it was when it was looked at
 *
 * Return: 0, -EFBIG more than the budget, -ESTALE it was changed meanwhile, -errno
 */
int digests_of(struct digests *d, int fd, struct image_file *ret, struct stat *ret_st) MUST_CHECK;

/** digests_same() - Is it still what it was? */
bool digests_same(const struct stat *a, const struct stat *b);

/** shared_root_name() - Is it in a directory that nodes have in common? */
bool shared_root_name(const char *name);

/** shared_root_file() - May it be lent: regular, executable mount, everybody's to read, not to write */
bool shared_root_file(int fd);

#endif
