/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * keep.h - give the files that workers have fetched to root, so that all workers may use them
 *
 * Theory of operation. Run by the daemon, as root, in a child: it reads whole files. A file of a
 * worker's is as trusted as that worker, which is not at all. So, for each one under a name of
 * cache.h, and in this order:
 *
 *	1. chown to root, mode 0400: its worker can no longer open it for writing or change its
 *	   mode, and in a sticky directory neither rename nor remove it; others see that it is busy
 *	2. it has one name, the one that was looked at, and nobody has it open for writing (a read
 *	   lease is given only then, fcntl(2)): what is read now stays as it is
 *	3. its SHA-256 is its name
 *	4. mode 0444: all may use it
 *
 * What fails at 2 or 3 is removed. DIR/HEX.UID takes the name DIR/HEX when nobody uses it by its
 * old one. Nothing is followed and nothing but regular files is opened for more than a look. A pass
 * that was killed in the middle leaves 0400 files of root's, which the next one takes up at 2.
 *
 * The digest is verified here so that a squatter's file does not stay in the way of the right one;
 * workers verify it again before they use it (fetch.c), for disks rot.
 */
#ifndef BLAST_CACHE_KEEP_H
#define BLAST_CACHE_KEEP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

struct keep_owners {
	uid_t first; /* only files of these users are touched */
	uint32_t n;
};

struct keep_count {
	uint32_t given, removed;
};

/** keep_names() - Is it the name of a file that workers share: "HEX" or "HEX.UID"? */
bool keep_names(const char *name);

/**
 * keep_files() - Go through the cache once
 * @dir:	The cache
 * @from:	The workers' users
 * @max_bytes:	A larger file is removed unread
 * @ret:	What was done, also after a failure
 * @e:		Reason
 *
 * Return: 0 or -errno; -EOPNOTSUPP when the file system knows no leases: files stay their workers'
 */
int keep_files(const char *dir, const struct keep_owners *from, uint64_t max_bytes,
	       struct keep_count *ret, struct err *e) MUST_CHECK;

#endif
