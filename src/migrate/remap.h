/* SPDX-License-Identifier: GPL-2.0-or-later */
/* remap.h - give a stopped process the mappings of an image, by injected calls; both ends use it */
#ifndef MIGRATE_REMAP_H
#define MIGRATE_REMAP_H

#include "image/change.h"
#include "tracee/batch.h"

/* files of this host, in the order of the list of image/files.h, while a guest is being built */
#define LENT_FDS_FIRST 1024

/**
 * remap() - Change the mappings from those of one image to those of another
 * @b:		A batch in the process; emptied
 * @pid:	Who executes it
 * @from:	What the process has
 * @to:		What it is to have; what is new is private memory without pages, or a mapping of a
 *		file that is lent: descriptor LENT_FDS_FIRST and so on in the process
 * @by:		What counts as the same
 * @e:		Reason
 *
 * Return: 0 or -errno
 */
int remap(struct batch *b, pid_t pid, const struct image *from, const struct image *to,
	  enum image_identity by, struct err *e) MUST_CHECK;

#endif
