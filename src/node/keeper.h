/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * keeper.h - comosixd's care for the cache of volumes that boxed tasks share
 *
 * Theory of operation. Two jobs, each in a child, for they read whole files and whole directories:
 *
 *	keep	give files that tasks have fetched to root, once they are verified
 *		(blast/cache/keep.h); as soon as one gets its name (inotify), and when a task has
 *		ended
 *	sweep	hold the cache to its size, and a reserve of the disk free (sweep.h); every 10 s
 *		while tasks run, and when one has ended
 *
 * Of each job one child runs at a time. What is asked for meanwhile makes another pass after it, so
 * that nothing that was there when it was asked for is missed. Keeping is paced: a box could make
 * files without end.
 *
 * When the reserve cannot be had although all that is not in use is gone, no_room() asks for the
 * end of a task, and a sweep follows that: what a box has open and nobody can see goes with it.
 *
 * The uid of a task that has ended may be used again only when its files have been seen to: they
 * would be the next task's own otherwise. keeper_task_ended() gives the number of the pass that
 * does it, and kept() tells that this one is over.
 */
#ifndef NODE_KEEPER_H
#define NODE_KEEPER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct node;
struct keeper;

struct keeper_events {
	void (*kept)(void *owner, uint32_t pass); /* all passes up to this one are over */
	void (*no_room)(void *owner);		  /* the disk is too full, and tasks may be why */
	void *owner;
};

int keeper_new(struct node *n, const struct keeper_events *events, struct keeper **ret,
	       struct err *e) MUST_CHECK;
void keeper_free(struct keeper *k);

/** keeper_task_began() - The cache is there, and a task may write to it from now on */
void keeper_task_began(struct keeper *k);

/** keeper_task_ended() - Return: the pass that sees to its files */
uint32_t keeper_task_ended(struct keeper *k);

/** keeper_disk_full() - The reserve of the disk is used up, and nothing can be removed now */
bool keeper_disk_full(const struct keeper *k);

#endif
