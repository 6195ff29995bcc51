/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pages.h - the pages of a process on their way: read here, PAGES frames, written there
 *
 * Theory of operation. The reader walks over the mappings and sends every page that is there; a
 * page of zeroes is sent as a count. It stops when the channel is full and goes on at its next
 * call. The writer writes through /proc/PID/mem, whatever the protection; asked to compare, it
 * leaves alone what is the same already, so that pages of a file stay the file's.
 */
#ifndef MIGRATE_PAGES_H
#define MIGRATE_PAGES_H

#include "base/err.h"
#include "image/image.h"
#include "migrate/channel.h"
#include "tracee/maps.h"

#define PAGES_RUNS 64

enum pages_kind {
	PAGES_BYTES = 0,
	PAGES_ZERO = 1,
	PAGES_ABSENT = 2, /* not there: fresh, or given back by the program; any number */
};

struct pages_reader {
	const struct image *image;
	int mem, pagemap;
	bool home;	/* mappings of files are sent whole; else: say what is absent */
	size_t mapping; /* the one being read */
	uint64_t at;	/* where in it the scan goes on */
	uint64_t told;	/* up to where present and absent pages were told */
	struct page_run runs[PAGES_RUNS];
	size_t n_runs, run;
	uint64_t bytes, pages; /* sent so far */
	uint8_t *buffer;       /* MOVE_PAGES_MAX pages */
};

/** pages_reader_init() - @home: the pages of a process that leaves home, not of one that comes back */
int pages_reader_init(struct pages_reader *p, pid_t pid, const struct image *m, bool home,
		      struct err *e) MUST_CHECK;
void pages_reader_done(struct pages_reader *p);

/** pages_open_pagemap() - /proc/PID/pagemap; fd or -errno */
int pages_open_pagemap(pid_t pid) MUST_CHECK;

/** pages_send() - As many as the channel takes; Return: 1 all is sent, 0 call again, -errno */
int pages_send(struct pages_reader *p, struct channel *c, struct err *e) MUST_CHECK;

struct pages_writer {
	int mem;     /* /proc/PID/mem of a stopped process */
	int pagemap; /* -1: the process is new, nothing is there yet. Else: leave alone what is the same */
	/* give back n pages of private memory from at on; NULL when pagemap is -1 */
	int (*drop)(void *owner, uint64_t at, uint64_t n, struct err *e);
	void *owner;
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
