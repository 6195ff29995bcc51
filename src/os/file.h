/* SPDX-License-Identifier: GPL-2.0-or-later */
/* file.h - whole files and directories */
#ifndef OS_FILE_H
#define OS_FILE_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

/**
 * file_read() - Read a regular file whole
 * @path:	Name
 * @to:		Appended to; its limit bounds what is read
 * @e:		Reason
 *
 * Return: 0, -ENOENT, -EFBIG when it does not fit, other -errno
 */
int file_read(const char *path, struct buf *to, struct err *e) MUST_CHECK;

/**
 * file_write_atomic() - Put a file under a name only when it is whole and on disk
 * @path:	Final name
 * @data, @len:	Content
 * @mode:	Permissions, exact (not cut by umask)
 * @e:		Reason; at failure nothing is left and the old file stands
 *
 * Written beside it as PATH.XXXXXX, fsynced, renamed, directory fsynced.
 *
 * Return: 0 or -errno
 */
int file_write_atomic(const char *path, const void *data, size_t len, mode_t mode, struct err *e)
	MUST_CHECK;

/** dir_make() - mkdir -p; directories that are there already keep their mode */
int dir_make(const char *path, mode_t mode, struct err *e) MUST_CHECK;

/** dir_remove() - rm -r on one file system, links not followed; a missing path is no error */
int dir_remove(const char *path, struct err *e) MUST_CHECK;

#endif
