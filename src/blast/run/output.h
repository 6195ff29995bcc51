/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * output.h - the report, under its name only when it is complete
 *
 * A regular file is written without a name in the directory it will be in, and gets its name at
 * the end; standard output and devices get the report in one go at the end.
 */
#ifndef BLAST_RUN_OUTPUT_H
#define BLAST_RUN_OUTPUT_H

#include <stddef.h>

#include "base/err.h"

struct output;

/**
 * output_open() - Begin a report
 * @path:	Its name; NULL: standard output
 * @tmp:	Directory for what cannot be kept beside it
 * @ret:	Set on success; end with output_commit() or output_abort()
 * @e:		Reason
 */
int output_open(const char *path, const char *tmp, struct output **ret, struct err *e) MUST_CHECK;

/** output_write() - More of it; a full disk is an error here */
int output_write(struct output *o, const void *p, size_t n, struct err *e) MUST_CHECK;

/** output_restart() - Forget what was written */
int output_restart(struct output *o, struct err *e) MUST_CHECK;

/** output_commit() - Put it under its name; o is freed, at failure nothing is left */
int output_commit(struct output *o, struct err *e) MUST_CHECK;

/** output_abort() - Leave nothing; NULL is fine */
void output_abort(struct output *o);

#endif
