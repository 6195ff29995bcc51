/* SPDX-License-Identifier: GPL-2.0-or-later */
/* database.h - a database as the genuine BLAST+ finds it: its volumes, their files, their totals */
#ifndef BLAST_RUN_DATABASE_H
#define BLAST_RUN_DATABASE_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "blast/core/dbindex.h"
#include "blast/cache/digest.h"

struct database_file {
	char path[PATH_MAX];
	uint64_t size;
	int64_t changed_ns; /* mtime */
	uint8_t sha256[DIGEST_LEN];
};

struct database {
	char title[DBINDEX_TITLE_MAX];
	uint32_t n_seqs;
	uint64_t letters, bytes;
	char **volumes; /* owned; names without directory and extension, in order */
	size_t n_volumes;
	struct database_file *files; /* owned */
	size_t n_files;
};

/**
 * database_open() - Find a database and hash its files (blocks)
 * @name:	As the user wrote it after -db
 * @db_type:	"prot" or "nucl"
 * @ret:	Set on success; end with database_done()
 * @e:		Reason
 *
 * Return: 0, -ENOENT (BLAST+ does not find it), -ENOTSUP (it is not a plain one), other -errno
 */
int database_open(const char *name, const char *db_type, struct database *ret, struct err *e)
	MUST_CHECK;
void database_done(struct database *d);

/** database_file_name() - The last part of its path */
const char *database_file_name(const struct database_file *f);

/**
 * database_link() - A directory with links to all files
 * @dir:	To be made
 */
int database_link(const struct database *d, const char *dir, struct err *e) MUST_CHECK;

/** database_same() - Are the files still those that were hashed? */
bool database_same(const struct database *d);

#endif
