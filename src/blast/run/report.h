/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * report.h - phase 2: the genuine BLAST+ makes the report, from the candidates or unsplit
 */
#ifndef BLAST_RUN_REPORT_H
#define BLAST_RUN_REPORT_H

#include "blast/run/engine.h"
#include "blast/run/output.h"
#include "loop/loop.h"

struct report;

struct report_setup {
	struct loop *loop;
	const struct engine *engine; /* NULL: unsplit, nothing is preloaded */
	const char *program;	     /* path */
	const char *const *words;
	struct output *output; /* stays the caller's */
	int stdin_fd;	       /* unsplit: its standard input; -1: none */
	/* BLAST+ has ended; e is set when its report could not be kept. report_free() comes next */
	void (*over)(void *owner, int wait_status, const struct err *e);
	void *owner;
};

int report_start(const struct report_setup *s, struct report **ret, struct err *e) MUST_CHECK;

/**
 * report_batch() - The candidates of the next query batch that BLAST+ searches
 * @n_queries:	For the check that both cut the same batches
 * @oids, @n:	Ascending; copied
 *
 * Return: 0, -ENOMEM
 */
int report_batch(struct report *r, uint32_t n_queries, const uint32_t *oids, uint32_t n) MUST_CHECK;

/** report_last() - There are no more batches */
void report_last(struct report *r);

/** report_talk() - Pass what BLAST+ wrote on standard error to ours */
void report_talk(struct report *r);

/** report_free() - Kill it if it still runs; NULL is fine */
void report_free(struct report *r);

#endif
