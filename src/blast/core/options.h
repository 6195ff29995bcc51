/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * options.h - which options of BLAST+ may be split over nodes, and where each of them goes
 *
 * The table says for each option of a program whether a search with it is proven to give the same
 * bytes when it is split, and which of the two phases sees it. What is not in the table, or has a
 * value that the table does not allow, makes the search run unsplit by the genuine program, which
 * then says itself what it thinks of it. Workers check what they are sent against the same table:
 * nothing that names a file passes.
 */
#ifndef BLAST_CORE_OPTIONS_H
#define BLAST_CORE_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define OPTIONS_ARGS_MAX 256

/* a list of words for a program; the words belong to others, the list is owned */
struct arg_list {
	const char **words; /* NULL at the end */
	size_t n;
};

struct blast_request {
	const char *program;	/* "blastp" */
	const char *db;		/* as the user wrote it; NULL when not given */
	const char *query;	/* NULL: standard input */
	const char *out;	/* NULL: standard output */
	const char *db_type;	/* "prot" or "nucl" */
	uint32_t batch_letters; /* queries are searched in batches of at least so many */

	struct arg_list plain;	/* BLAST+ words for an unsplit run, everything included */
	struct arg_list search; /* phase 1: what a worker gets; its text is in search_text */
	struct arg_list report; /* phase 2: as plain, without -query and -out */
	char *search_text;	/* owned; NUL after NUL */
	bool unlimited;		/* phase 1 must return every preliminary hit */

	const char *threads; /* of an unsplit run; NULL when not given */
	bool asked_unsplit;  /* --unsplit */
	bool as_it_is;	     /* -help, words that are not known, many output files: just exec */
	char unproven[160];  /* why it cannot be split; empty: it can */

	/* our own */
	uint32_t local_workers;	    /* 0: use the cluster */
	uint32_t per_node;	    /* most workers on a node; 0: one per CPU */
	uint32_t recheck_percent;   /* of desktops' answers that are computed again elsewhere */
	const char *worker_program; /* for tests: what local workers run */
	bool json, help, version;
	bool try_unproven; /* split reports that are not proven: how they are to be proven */
};

/**
 * options_parse() - Understand the command line of mpiblast
 * @argc, @argv: As main() got them; kept by reference
 * @ret:	Filled on success; end with options_done()
 * @e:		Reason, for the user
 *
 * Return: 0, -EINVAL (usage), -ENOMEM
 */
int options_parse(int argc, char **argv, struct blast_request *ret, struct err *e) MUST_CHECK;
void options_done(struct blast_request *r);

/**
 * options_allowed() - May a worker run the program with these words?
 * @program:	As the master sent it
 * @words, @n:	As the master sent them
 * @e:		Which word is refused
 *
 * Return: 0 or -EPERM
 */
int options_allowed(const char *program, char *const *words, size_t n, struct err *e) MUST_CHECK;

/** options_env() - An environment variable that makes a split search unproven; NULL at the end */
const char *options_env(size_t i);

/** options_help() - The text of --help */
const char *options_help(void);

#endif
