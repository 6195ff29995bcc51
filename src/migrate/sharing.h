/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sharing.h - which memory do processes of this machine share?
 *
 * A list of all shared mappings of all processes, made once by reading each one's /proc/PID/maps.
 * Two mappings are of the same memory when device and inode are the same: that holds for files,
 * /dev/shm, memfd, shared anonymous memory and System V segments alike.
 */
#ifndef MIGRATE_SHARING_H
#define MIGRATE_SHARING_H

#include <stdbool.h>
#include <sys/types.h>

#include "tracee/maps.h"

#define SHARING_MAX 1000000 /* shared mappings on one machine */

struct sharing_row;

struct sharing {
	struct sharing_row *rows; /* owned */
	size_t n, room;
	bool filled;
};

void sharing_init(struct sharing *s);
void sharing_done(struct sharing *s);

/** sharing_fill() - Look at all processes; those that end meanwhile are none */
int sharing_fill(struct sharing *s, struct err *e) MUST_CHECK;

/** sharing_add() - The shared mappings of one process */
int sharing_add(struct sharing *s, pid_t pid, const struct maps *maps) MUST_CHECK;

/**
 * sharing_with_others() - Does another process share this mapping of pid's, and may one of them
 * write?
 */
bool sharing_with_others(const struct sharing *s, pid_t pid, const struct maps_entry *v);

#endif
