/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ends.h - where files end before the memory that they are mapped to
 *
 * Theory of operation. Behind the last page of its file a mapping has no memory: a touch is SIGBUS,
 * mmap(2), until the file has grown. Databases map files so at length, and the dynamic linker does for a
 * moment. The host has no such file. So the image tells that part apart (IMAGE_MAP_BEYOND), the host
 * maps an empty file there, and a touch is a SIGBUS there as well; its agent does not deliver it but
 * brings the process home, where the touch is made again, and gives whatever it gives by then. So does a
 * call that is made at home and names such memory.
 */
#ifndef MIGRATE_ENDS_H
#define MIGRATE_ENDS_H

#include <sys/types.h>

#include "base/err.h"
#include "image/image.h"

/**
 * ends_mark() - Tell the parts of its mappings that are behind the end of their file
 * @pid:	The process, at home; while it runs an answer may be old as soon as it is given, but what
 *		was touched here need not come from a disk when it stands still
 * @m:		Its image, with files that the host has marked: those end there as well. Mappings that
 *		go over an end become two
 *
 * Return: 0, -ENOMEM, -E2BIG
 */
int ends_mark(pid_t pid, struct image *m, struct err *e) MUST_CHECK;

/**
 * ends_keep() - On its way home: what the host was told of the files
 * @before:	The image that it had
 * @m:		What is mapped at home now; gets the same marks (BEYOND, for the files may have grown
 *		since; those that the host has)
 *
 * Return: as ends_mark()
 */
int ends_keep(const struct image *before, struct image *m, struct err *e) MUST_CHECK;

/** ends_is_beyond() - At the host: is this behind the end of a file of home? */
bool ends_is_beyond(const struct image *m, uint64_t at);

#endif
