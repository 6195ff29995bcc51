/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * views.h - what a process that is away sees of itself in /proc
 *
 * Theory of operation. The process is in two places. Of home are its files, parents, limits and
 * counters; of the host its memory, its masks and what it computes. A table says for each file of
 * /proc/self whose it is; what is not in it is home's, as it is there. Of some files each line, or
 * number, is of one or the other, or of both together. Our own region, tracer and filters are not in
 * them.
 *
 * What a file says is settled when it is opened: a descriptor that is kept and read again says the
 * same, and so does one that was opened before the process left.
 *
 * All of this is text in, text out: no file is opened here.
 */
#ifndef MIGRATE_VIEWS_H
#define MIGRATE_VIEWS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "image/image.h"

enum view_kind {
	VIEW_NONE,     /* home's, as it is */
	VIEW_GUEST,    /* the host's, as it is */
	VIEW_STATUS,   /* line by line */
	VIEW_STAT,     /* number by number */
	VIEW_STATM,    /* the host's, less our region */
	VIEW_MAPS,     /* the host's, with home's names of files */
	VIEW_LIMITS,   /* home's, with those that hold at the host */
	VIEW_HOMEWARD, /* memory itself: it can be had at home only */
};

struct view {
	enum view_kind kind;
	const char *name; /* of the file */
	uint32_t tid;	  /* of a thread; 0: of the process */
};

/* our region in the guest */
struct view_hidden {
	uint64_t start, end;
	uint64_t usable;		  /* bytes of it that count as data */
	const struct image_limit *limits; /* of the process, IMAGE_LIMITS; NULL: as home says */
};

/**
 * view_find() - What a name means
 * @path:	As the program gave it; only absolute ones are known
 * @pid, @tid:	Who asks
 * @ret:	Filled; kind NONE also for a name that is no file of its own in /proc
 */
void view_find(const char *path, uint32_t pid, uint32_t tid, struct view *ret);

/**
 * view_make() - The text
 * @kind:	Not NONE, not HOMEWARD
 * @home:	Text of the same file at home; VIEW_GUEST and VIEW_STATM: not looked at
 * @guest:	Text of the same file at the host
 * @to:		Appended to
 *
 * Return: 0, -EPROTO one of them is not such a text, -ENOMEM, -ENOBUFS
 */
int view_make(enum view_kind kind, const char *home, const char *guest,
	      const struct view_hidden *hidden, struct buf *to) MUST_CHECK;

/** view_wants_home() - Is home's text needed? */
bool view_wants_home(enum view_kind kind);

#endif
