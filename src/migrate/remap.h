/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * remap.h - give a stopped process the mappings of an image, by injected calls; both ends use it
 *
 * Theory of operation. At home there are files, and what was mapped of them stays mapped. At the host
 * there are none: private memory is private, and shared memory is shared, so that madvise(2), fork
 * and the like do what they do at home. A file that was opened for reading only is a memfd there with
 * a seal against future writing; mapped anew when it has its pages, it is one that mprotect(2) cannot
 * make writable.
 */
#ifndef MIGRATE_REMAP_H
#define MIGRATE_REMAP_H

#include "image/change.h"
#include "tracee/batch.h"

/* files of this host, in the order of the list of image/files.h, while a guest is being built */
#define LENT_FDS_FIRST 1024

/* what stands there where a file of home has ended (ends.h), as its maker and /proc/PID/maps name it */
#define REMAP_EMPTY_NAME "comosix-beyond"
#define REMAP_EMPTY_FILE "/memfd:" REMAP_EMPTY_NAME " (deleted)"

/**
 * remap_grow() - Before remap(): grow stacks that are longer in the image
 * @from:	What the process has; gets what has grown
 *
 * A stack grows by being touched. Mapped in two pieces it would have a limit (RLIMIT_STACK) for each. Its
 * soft limit is the hard one after this, for the caller to set. What does not grow is left to remap().
 */
int remap_grow(struct batch *b, pid_t pid, struct image *from, const struct image *to,
	       struct err *e) MUST_CHECK;

/**
 * remap() - Change the mappings from those of one image to those of another
 * @b:		A batch in the process; emptied
 * @pid:	Who executes it
 * @from:	What the process has
 * @to:		What it is to have; what is new is memory without pages, or a mapping of a file that
 *		is lent: descriptor LENT_FDS_FIRST and so on in the process
 * @by:		What counts as the same
 * @e:		Reason
 *
 * Return: 0 or -errno
 */
int remap(struct batch *b, pid_t pid, const struct image *from, const struct image *to,
	  enum image_identity by, struct err *e) MUST_CHECK;

/*
 * No page can be written from outside (/proc/PID/mem) into shared memory that its process may only
 * read now. So until all pages are there such mappings can be written, and then they are shut.
 */

/** remap_open_shared() - After remap(): let pages in; @building as below */
int remap_open_shared(struct batch *b, pid_t pid, const struct image *m, bool building,
		      struct err *e) MUST_CHECK;

/**
 * remap_shut_shared() - All pages are there: protections as the image says
 * @building:	Nothing in this process is a file; what was IMAGE_MAP_READONLY at home can never be
 *		written from now on here, too
 */
int remap_shut_shared(struct batch *b, pid_t pid, const struct image *m, bool building,
		      struct err *e) MUST_CHECK;

#endif
