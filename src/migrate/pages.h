/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pages.h - the pages of a process on their way: read here, PAGES frames, written there
 *
 * Theory of operation. The reader is given ranges to send, and a round of struct dirty, and makes
 * frames of them as long as the channel takes some; it goes on at the next call. A page of zeroes
 * is sent as a count. When all is sent it is empty, and may be filled for the next round.
 *
 * Which ranges: what the other end has just mapped (image_changes() tells both ends the same), for
 * that is empty there. Of a file at home every page, for what was not touched yet is not known to
 * anybody, unless the host has the file and maps it: then those that the process has changed; of
 * other memory the pages that are there. After that only what the round names.
 *
 * Both use process_vm_readv(2) and process_vm_writev(2), which copy once, and /proc/PID/mem, which
 * copies twice, for memory whose protection forbids that. In a process that is being
 * built it keeps in mind what it has written, since a later round may take that back; zeroes of what
 * it has not written are there already, but in a mapping of a file that this host has. In one that
 * is older it leaves alone what is the same already, so that pages of a file stay the file's.
 */
#ifndef MIGRATE_PAGES_H
#define MIGRATE_PAGES_H

#include "base/err.h"
#include "image/change.h"
#include "image/image.h"
#include "migrate/channel.h"
#include "tracee/dirty.h"
#include "tracee/maps.h"

#define PAGES_RUNS   64
#define PAGES_QUEUED (512U << 10) /* of what has not left: it stays in the CPU's cache */
#define PAGES_POLITE (5U << 19)	  /* of the channel's queue, when calls want to pass as well */

enum pages_kind {
	PAGES_BYTES = 0,
	PAGES_ZERO = 1,
	PAGES_ABSENT = 2, /* not there: fresh, or given back by the program; any number */
	PAGES_LATE = 3,	  /* still at home: to be fetched (guest_late.h); any number */
};

enum pages_which {
	PAGES_ALL,	/* there or not: of a file */
	PAGES_THERE,	/* in memory or swapped */
	PAGES_OWN,	/* those of them that are not a file's: the other end has the file */
	PAGES_AND_GAPS, /* and say what is not there */
	PAGES_GAPS,	/* say that only, of what is worth it */
	PAGES_STAY,	/* say that they are late */
};

struct pages_range {
	uint64_t start, end;
	enum pages_which which;
};

struct pages_piece {
	uint64_t start, n; /* pages */
	enum pages_kind kind;
};

struct pages_reader {
	pid_t pid;
	int mem, pagemap;
	bool polite;			  /* leave room for other frames */
	bool all_told;			  /* also what cannot be read: it is not there */
	uint64_t hide_start, hide_end;	  /* our own region */
	struct pages_range *ranges;	  /* owned */
	size_t n_ranges, range;		  /* the one being read */
	uint64_t at;			  /* where in it the scan goes on */
	uint64_t told;			  /* up to where it was told */
	struct page_run runs[PAGES_RUNS]; /* found by the scan */
	size_t n_runs, run;
	struct dirty *dirty;	    /* after the ranges; NULL: none */
	const struct image *within; /* only what lies in its mappings; NULL: everything */
	/*
	 * are the pages from start on to be left out of the rounds that do not end it? *end is moved, so
	 * that it holds for all of them. Who holds them back sends them in the end. NULL: none are.
	 * Return: 1, 0, -ENOMEM
	 */
	int (*held)(void *owner, uint64_t start, uint64_t *end);
	void *owner;
	struct dirty_run named[PAGES_RUNS];
	size_t n_named, name;
	struct pages_piece piece; /* being sent */
	uint64_t bytes, pages;	  /* sent so far, of all rounds */
	uint8_t *buffer;	  /* MOVE_PAGES_MAX pages */
};

/** pages_reader_init() - Empty; a process that nothing is read of yet */
void pages_reader_init(struct pages_reader *p);

/** pages_reader_open() - @hide_start, @hide_end: our own region in it; 0, 0: none. 0 or -errno */
int pages_reader_open(struct pages_reader *p, pid_t pid, uint64_t hide_start, uint64_t hide_end,
		      struct err *e) MUST_CHECK;
void pages_reader_done(struct pages_reader *p);

/** pages_open_pagemap() - /proc/PID/pagemap; fd or -errno */
int pages_open_pagemap(pid_t pid) MUST_CHECK;

/** pages_add() - Send this range; -ENOMEM */
int pages_add(struct pages_reader *p, uint64_t start, uint64_t end, enum pages_which which)
	MUST_CHECK;

/**
 * pages_add_new() - Send the ranges that are new in an image
 * @was:	Mappings of before
 * @by:		As at the other end
 * @files_only:	Other memory will be named by the round that is sent with it
 */
int pages_add_new(struct pages_reader *p, const struct image *was, const struct image *m,
		  enum image_identity by, bool files_only) MUST_CHECK;

/**
 * pages_add_shared() - Send shared mappings, which no round names, but for files of both ends
 * @home:	To where the files are: not what the process could not write here
 */
int pages_add_shared(struct pages_reader *p, const struct image *m, bool home) MUST_CHECK;

/** pages_add_all() - Send home a process of which it has an old state, and say what is gone */
int pages_add_all(struct pages_reader *p, const struct image *m) MUST_CHECK;

/** pages_add_round() - And then a round that dirty_round() has begun; @within may be NULL */
void pages_add_round(struct pages_reader *p, struct dirty *d, const struct image *within);

/** pages_send() - As many as the channel takes; Return: 1 all is sent, 0 call again, -errno */
int pages_send(struct pages_reader *p, struct channel *c, struct err *e) MUST_CHECK;

/** pages_send_end() - That was all, of the whole move; 0 or -errno */
int pages_send_end(struct channel *c) MUST_CHECK;

/** pages_is_idle() - Is all sent that was to be? */
bool pages_is_idle(const struct pages_reader *p);

/**
 * pages_is_void() - Is the memory that was opened no more: with the process, or with the program that
 * it was (exec)?
 *
 * Such memory has no pages any more: they look like ones that never were, and reading gives nothing,
 * not even an error. Once so, it stays so: asked at the end, it holds for all.
 */
bool pages_is_void(const struct pages_reader *p);

struct pages_frame {
	uint64_t at;
	uint32_t n;
	enum pages_kind kind;
	const uint8_t *bytes; /* in the frame */
};

/** pages_parse() - What a PAGES frame says, checked; 0 or -EPROTO */
int pages_parse(const struct move_frame *f, struct pages_frame *ret, struct err *e) MUST_CHECK;

struct pages_writer {
	pid_t pid;		   /* of a process that we trace */
	int mem;		   /* its /proc/PID/mem */
	struct pageset *written;   /* a process being built: what it has; else NULL */
	const struct image *image; /* and its mappings */
	struct pageset *beyond;	   /* gets what is behind the end of a file of this host; or NULL */
	int uffd;		   /* that its mappings are registered with; -1: none */
	int pagemap;		   /* of an older process */
	/* gets what finds no memory, behind the end of a file: it may be of a mapping made since, that
	 * comes later. NULL: it is an error */
	struct pageset *missed;
	/* give back n pages of private memory; NULL: it cannot now, and they are written as zeroes */
	int (*drop)(void *owner, uint64_t at, uint64_t n, struct err *e);
	void *owner;
	uint64_t hide_start, hide_end; /* our own region, which nobody writes to */
};

/**
 * pages_write() - One PAGES frame
 * @ret_end:	Set when it was the last one (of no pages)
 *
 * Return: 0, -EPROTO (a frame that is none), -errno
 */
int pages_write(const struct pages_writer *w, const struct move_frame *f, bool *ret_end,
		struct err *e) MUST_CHECK;

#endif
