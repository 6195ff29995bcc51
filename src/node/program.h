/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * program.h - the programs that comosixd starts for others: runners and boxed tasks
 *
 * A runner ends by itself when its stream ends, and ends what it started; it is never killed. A
 * task's box is killed as a whole. Tasks are bounded; each has a slot, which is its uid.
 */
#ifndef NODE_PROGRAM_H
#define NODE_PROGRAM_H

#include "base/err.h"
#include "wire/control.pb-c.h"

struct node;
struct program;
struct programs;

int programs_new(struct node *n, struct programs **ret, struct err *e) MUST_CHECK;
void programs_free(struct programs *p);

/**
 * program_start() - Start what a request asks for
 * @m:		EXEC or TASK, already authorized
 * @over:	Called from the loop when the program has ended
 * @ret:	For program_end(); dead when over() is called
 * @ret_fd:	Our end of its stream; the caller's
 * @e:		Reason, for the one who asked
 *
 * Return: 0, -ENOENT (no such task), -EBUSY (too many tasks), other -errno
 */
int program_start(struct programs *all, const Cmx__Open *m, void (*over)(void *owner), void *owner,
		  struct program **ret, int *ret_fd, struct err *e) MUST_CHECK;

/** program_end() - Nobody reads its stream any more; over() is not called. NULL is no error */
void program_end(struct program *p);

/** programs_count() - How many are running */
unsigned int programs_count(const struct programs *all);

#endif
