/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * page_store.h - the pages of a checkpoint, in a file that has no name
 *
 * Theory of operation. The stub of a moved process keeps its memory as it was when it left. So an
 * image that is taken later needs only the pages that are different since, and each image after it
 * only those that were written since the one before. They lie in slots of one file; which slot is
 * which page is known in memory alone, for an image is of use only as long as its deputy lives:
 *
 *	chunk (2 MiB):	kept[512]  as of the last whole image
 *			next[512]  what has come for the one that is being taken; 0: as kept
 *
 * page_store_commit() makes next what is kept, and gives the slots of what was there before to later
 * ones; page_store_discard() forgets next. Until then nothing that is kept is overwritten, so an
 * image that is torn (the host is gone, the disk is full) costs nothing but itself.
 *
 * What is kept may be put into the process before it stops, as far as it can be: what was put there is
 * marked, and not named again until it is replaced.
 *
 * The file is made in a directory of the process's user, for him alone (mode 0600), and has no name
 * from the beginning: nobody else can open it, and it is gone with its deputy. It never becomes
 * longer than the limit.
 */
#ifndef MIGRATE_PAGE_STORE_H
#define MIGRATE_PAGE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define PAGE_STORE_PAGE	      4096
#define PAGE_STORE_CHUNKS_MAX 32768 /* 64 GiB of memory that was touched: 128 MiB of chunks */

enum page_store_kind {
	PAGE_STORE_BYTES,
	PAGE_STORE_ZERO,
	PAGE_STORE_ABSENT, /* not there, or a file's */
};

struct page_store_chunk;

struct page_store {
	int fd;	   /* -1: not open */
	int spill; /* memory; -1: none */
	uint32_t n_slots, max_slots, n_memory;
	uint32_t *free_slots; /* owned */
	size_t n_free, cap_free;
	struct page_store_chunk *chunks; /* owned, ascending */
	size_t n, cap;
};

void page_store_init(struct page_store *s);
void page_store_done(struct page_store *s);

/**
 * page_store_open() - Make the file
 * @dir:	Where; must be there
 * @max_bytes:	Its limit
 *
 * Return: 0 or -errno
 */
int page_store_open(struct page_store *s, const char *dir, uint64_t max_bytes, struct err *e)
	MUST_CHECK;

/**
 * page_store_put() - Pages for the image that is being taken
 * @at:		Address, a multiple of a page
 * @n:		How many
 * @bytes:	Of BYTES; else NULL
 *
 * Return: 0, -EFBIG (more than max_bytes), -ENOSPC and the like, -ENOMEM: discard it then
 */
int page_store_put(struct page_store *s, uint64_t at, uint32_t n, enum page_store_kind kind,
		   const uint8_t *bytes, struct err *e) MUST_CHECK;

/** page_store_spill() - From now on what does not fit into the file goes into memory */
void page_store_spill(struct page_store *s);

/** page_store_absent() - What it has of [at, end) is not there any more */
void page_store_absent(struct page_store *s, uint64_t at, uint64_t end);

/** page_store_commit() - All has come */
void page_store_commit(struct page_store *s);

/** page_store_discard() - It will not be finished */
void page_store_discard(struct page_store *s);

/* @bytes: PAGE_STORE_PAGE bytes or NULL; Return: 1 it is there now, 0 it is not, -errno ends it */
typedef int page_store_fn(void *owner, uint64_t at, enum page_store_kind kind, const uint8_t *bytes,
			  struct err *e);

/**
 * page_store_some() - What is kept and not there yet, by address
 * @from:	0 at first; where it goes on
 * @n:		Pieces of 2 MiB to look at
 *
 * Return: 1 there may be more, 0 that was all, -EIO (the file has lost something), or what fn said
 */
int page_store_some(struct page_store *s, uint64_t *from, size_t n, page_store_fn *fn, void *owner,
		    struct err *e) MUST_CHECK;

/** page_store_each() - All of it at once */
int page_store_each(struct page_store *s, page_store_fn *fn, void *owner, struct err *e) MUST_CHECK;

#endif
