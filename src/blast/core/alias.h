/* SPDX-License-Identifier: GPL-2.0-or-later */
/* alias.h - BLAST database alias files (.pal, .nal): read the plain ones, write fragments */
#ifndef BLAST_CORE_ALIAS_H
#define BLAST_CORE_ALIAS_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define ALIAS_VOLUMES_MAX 4096

struct alias {
	char *title;	 /* owned; NULL when the file has none */
	uint64_t n_seqs; /* 0 when the file has none */
	uint64_t letters;
	uint32_t n_members; /* words of DBLIST */
};

/**
 * alias_parse() - Read an alias file that does nothing but put volumes together
 * @text, @len:	The file
 * @ret:	Set on success; end with alias_done()
 * @e:		Reason
 *
 * Return: 0, -ENOTSUP (the file filters, or has a key that is not known here), -ENOMEM
 */
int alias_parse(const uint8_t *text, size_t len, struct alias *ret, struct err *e) MUST_CHECK;
void alias_done(struct alias *a);

/* a fragment: sequences [first, last) of the volumes, with the statistics of the whole database */
struct alias_fragment {
	const char *title;
	const char *const *volumes; /* paths without extension, without spaces */
	uint32_t n_volumes;
	uint32_t first, last; /* OIDs, last is not in it */
	uint32_t n_seqs;      /* of the whole */
	uint64_t letters;     /* of the whole */
};

/**
 * alias_write() - The text of a fragment's alias file
 *
 * NSEQ and LENGTH go into report heads and averages, STATS_NSEQ and STATS_TOTLEN into the search
 * space. MIN_SEQ_LENGTH must not be there: a plain database has none, and BLAST+ computes other
 * cutoffs with it.
 */
int alias_write(const struct alias_fragment *f, struct buf *to) MUST_CHECK;

#endif
