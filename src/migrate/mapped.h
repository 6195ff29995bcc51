/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mapped.h - files that a process has both mapped and open: which calls show that it is away?
 *
 * Theory of operation. While a process is away its mappings of files are at the host, and the files
 * are at home. It could tell by a call that writes or cuts a file which it has mapped, and by one
 * that reads a file into which its shared mapping may have written. Such a call is not executed for
 * it: the deputy answers CALL_COME_HOME (forward/call.h), and it is made where both are.
 *
 * Hardly a process has a descriptor of what it has mapped. So all its descriptors are looked at once
 * when it leaves, and those that open(2) gives it later; nothing is looked at in other calls until
 * one of them is of a mapped file. A file is known by its inode number in /proc/PID/maps and fdinfo,
 * which mean the same where stat(2) does not (overlayfs); that of a file in another file system may
 * be the same: then it comes home for nothing.
 *
 * Not seen: a file that is cut by its name (truncate(2), O_TRUNC), descriptors that come by a
 * message, and what others write.
 */
#ifndef MIGRATE_MAPPED_H
#define MIGRATE_MAPPED_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "image/image.h"

struct mapped_file {
	uint64_t inode;
	bool written; /* through a shared mapping, perhaps */
};

struct mapped {
	struct mapped_file *files; /* owned */
	size_t n;
	pid_t opening[IMAGE_THREADS_MAX]; /* threads whose call opens a file */
	size_t n_opening;
	bool watched; /* it has a descriptor of one of the files */
};

void mapped_init(struct mapped *m);
void mapped_done(struct mapped *m);

/** mapped_files() - Which files an image has mapped; replaces those of before. -ENOMEM */
int mapped_files(struct mapped *m, const struct image *image) MUST_CHECK;

/** mapped_look() - Has the process a descriptor of one of them? /proc is read */
void mapped_look(struct mapped *m, pid_t pid);

/**
 * mapped_call() - A thread that is away makes a call
 * @pid, @tid:	Its process at home, and itself
 *
 * Return: true: it must come home for it
 */
bool mapped_call(struct mapped *m, pid_t pid, pid_t tid, uint32_t nr, const uint64_t args[6]);

/** mapped_answer() - Its call is done */
void mapped_answer(struct mapped *m, pid_t pid, pid_t tid, int64_t result);

#endif
