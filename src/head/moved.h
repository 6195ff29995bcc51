/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * moved.h - which processes of the cluster are away, as this machine's comosixd says
 *
 * A thread follows comosixd (docs/PROTOCOL.md section 2, MOVES with `cluster`) and keeps a table.
 * What becomes of a process makes an event (process.moved, process.home, process.lost) when it
 * happens; what was so before we looked makes none. While comosixd is away the table is empty.
 */
#ifndef HEAD_MOVED_H
#define HEAD_MOVED_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

#define MOVED_ROWS_MAX 100000
#define MOVED_ID_LEN   16

struct api;
struct moved;

struct moved_row {
	uint8_t id[MOVED_ID_LEN];
	uint32_t pid;
	char user[64], home[64], node[64], command[64];
	const char *state; /* leaving away returning again */
	bool job, away;
	uint64_t bytes_done, bytes_all;
	uint32_t freeze_us;
	int64_t since;
};

int moved_start(struct api *a, struct moved **ret, struct err *e) MUST_CHECK;

/** moved_stop() - Ask the thread to end and wait for it */
void moved_stop(struct moved *m);

/**
 * moved_list() - Copy the table
 * @ret:	Freed by the caller
 *
 * Return: how many; -EAGAIN comosixd does not talk to us, -ENOMEM
 */
ssize_t moved_list(struct moved *m, struct moved_row **ret);

#endif
