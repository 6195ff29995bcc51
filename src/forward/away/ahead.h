/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ahead.h - is a file read from front to back, and how much of it is to be here before it is asked for?
 *
 * Theory of operation. A descriptor that is read AHEAD_READS times, with nothing else done to it in
 * between, is read from front to back, since each read(2) goes on where the one before ended. The
 * window is what may lie here unread, or be on its way: it begins small and doubles each time the reader
 * has come half way through it, so a file of which little is read costs little. More is asked for when
 * half of the window was read, so that asking takes no time of the reader's.
 *
 * pread(2) names its place: there each read has to begin where the one before ended.
 *
 * Pure.
 */
#ifndef FORWARD_AWAY_AHEAD_H
#define FORWARD_AWAY_AHEAD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

#define AHEAD_READS	 3
#define AHEAD_FDS	 16 /* looked at; the one that was used longest ago makes room */
#define AHEAD_WINDOW_MIN (256U << 10)
#define AHEAD_WINDOW_MAX (2U << 20)

struct ahead_fd {
	uint32_t fd;
	uint32_t reads; /* 0: the row is free */
	bool never;	/* home has said that this one cannot be read ahead */
	bool at;	/* its reads name their place: the next one is this */
	uint64_t next;
	uint64_t used;
};

struct ahead {
	struct ahead_fd fds[AHEAD_FDS];
	uint64_t clock;
};

/** ahead_read() - It is read once more; Return: is it worth asking home now? */
bool ahead_read(struct ahead *a, uint32_t fd);

/** ahead_read_at() - The same of a read of @n bytes that names its place */
bool ahead_read_at(struct ahead *a, uint32_t fd, uint64_t offset, uint64_t n);

/** ahead_never() - Home has refused; do not ask again before ahead_forget() */
void ahead_never(struct ahead *a, uint32_t fd);

/** ahead_forget() - Something else was done to it; ahead_forget_all(): nobody knows to which */
void ahead_forget(struct ahead *a, uint32_t fd);
void ahead_forget_all(struct ahead *a);

/** ahead_is_harmless() - Does this call leave the descriptor, its file and its offset as they are? */
bool ahead_is_harmless(uint32_t nr, const uint64_t args[6], uint32_t fd);

struct ahead_window {
	uint32_t size;
	uint64_t upto; /* asked for up to here */
};

void ahead_window_init(struct ahead_window *w, uint64_t offset);

/** ahead_window_more() - The reader stands at @offset; Return: ask for more, up to w->upto; @most bytes */
bool ahead_window_more(struct ahead_window *w, uint64_t offset, uint32_t most);

#endif
