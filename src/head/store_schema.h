/* SPDX-License-Identifier: GPL-2.0-or-later */
/* store_schema.h - the migrations of the control point's database */
#ifndef HEAD_STORE_SCHEMA_H
#define HEAD_STORE_SCHEMA_H

#include "base/err.h"

struct sqlite3;

/**
 * store_migrate() - Bring a database up to the newest schema
 * @db:		Open
 * @to:		Version to stop at, for tests; 0: the newest
 * @e:		Reason; -ENOTSUP when a newer version of CoMosix wrote it
 *
 * Each migration is one transaction with the change of user_version, so that it is done or not.
 *
 * Return: 0 or -errno
 */
int store_migrate(struct sqlite3 *db, int to, struct err *e) MUST_CHECK;

/** store_schema_newest() - The version that this program writes */
int store_schema_newest(void);

/** store_error() - -errno and a line for the last failure of a connection */
int store_error(struct sqlite3 *db, const char *what, struct err *e);

#endif
