/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dbindex.h - the head of a BLAST database volume's index (.pin, .nin), versions 4 and 5 */
#ifndef BLAST_CORE_DBINDEX_H
#define BLAST_CORE_DBINDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define DBINDEX_HEAD_MAX  65536 /* bytes of the file that are enough to read it */
#define DBINDEX_TITLE_MAX 4096

struct dbindex {
	uint32_t version; /* 4 or 5 */
	bool protein;
	uint32_t n_seqs;
	uint32_t longest; /* letters */
	uint64_t letters;
	char title[DBINDEX_TITLE_MAX];
};

/**
 * dbindex_parse() - Read the head
 * @p, @len:	The first bytes of the file, DBINDEX_HEAD_MAX or all
 * @ret:	Set on success
 * @e:		Reason
 *
 * Return: 0, -EPROTO
 */
int dbindex_parse(const uint8_t *p, size_t len, struct dbindex *ret, struct err *e) MUST_CHECK;

#endif
