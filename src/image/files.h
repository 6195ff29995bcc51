/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * files.h - files that a process maps, and what proves that the host has the same
 *
 * Theory of operation. Home lists the files of its process: name, size and SHA-256. The host says of
 * each one whether it has just that; then a mapping of it (image_mapping.file) is one of the host's
 * own file there, and no page of the file is sent. On the wire a file is
 *
 *	size u64, digest 32 bytes, length of the name u16, name
 *
 * little-endian, one after the other; the answer is a bit for each, in their order, the lowest bit
 * first. A name is absolute and has no "..": it is one that the kernel has made.
 */
#ifndef IMAGE_FILES_H
#define IMAGE_FILES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "image/image.h"

#define FILES_DIGEST	32
#define FILES_NAME_MAX	1024 /* longer ones are sent */
#define FILES_BYTES_MAX (IMAGE_FILES_MAX * (8U + FILES_DIGEST + 2 + FILES_NAME_MAX))
#define FILES_HAVE_MAX	(IMAGE_FILES_MAX / 8)

struct image_file {
	uint64_t size;
	uint8_t digest[FILES_DIGEST];
	char *name; /* owned by the list */
	bool have;  /* the host has it */
};

struct image_files {
	struct image_file *list; /* owned */
	size_t n;
};

void files_init(struct image_files *f);
void files_done(struct image_files *f);

/** files_is_name() - Is it a name that may be in a list? */
bool files_is_name(const char *name, size_t len);

/** files_add() - One more; @file->name is copied; -EINVAL (the name), -E2BIG, -ENOMEM */
int files_add(struct image_files *f, const struct image_file *file) MUST_CHECK;

/** files_put() - Append the bytes of the list; -ENOBUFS, -ENOMEM */
int files_put(struct buf *b, const struct image_files *f) MUST_CHECK;

/** files_get() - Read a list, all of its bytes; @ret: initialized, empty after a failure */
int files_get(const void *p, size_t n, struct image_files *ret, struct err *e) MUST_CHECK;

/** files_put_have() - What is had, as bits; @to: FILES_HAVE_MAX bytes; Return: bytes used */
size_t files_put_have(const struct image_files *f, uint8_t *to);

/** files_get_have() - The other end's bits into the list; -EPROTO: not of this list */
int files_get_have(const void *p, size_t n, struct image_files *f, struct err *e) MUST_CHECK;

#endif
