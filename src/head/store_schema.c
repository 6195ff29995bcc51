/* SPDX-License-Identifier: GPL-2.0-or-later */
/* store_schema.c - the migrations of the control point's database */
#include "head/store_schema.h"

#include <errno.h>
#include <sqlite3.h>

/*
 * Never change a row that was released: add one. Times are seconds since 1970. AUTOINCREMENT where
 * a number must never come again.
 */
static const char *const migrations[] = {
	/* 1 */
	"CREATE TABLE nodes ("
	"	id INTEGER PRIMARY KEY AUTOINCREMENT,"
	"	name TEXT NOT NULL UNIQUE,"
	"	role TEXT NOT NULL CHECK (role IN ('head', 'server', 'desktop')),"
	"	state TEXT NOT NULL CHECK (state IN ('active', 'revoked')),"
	"	key_fingerprint TEXT NOT NULL UNIQUE,"
	"	address TEXT NOT NULL,"
	"	relayed INTEGER NOT NULL,"
	"	joined INTEGER NOT NULL,"
	"	renewed INTEGER NOT NULL,"
	"	certificate_end INTEGER NOT NULL"
	") STRICT;"
	"CREATE TABLE certificates ("
	"	serial TEXT PRIMARY KEY,"
	"	node_id INTEGER NOT NULL REFERENCES nodes (id) ON DELETE CASCADE,"
	"	issued INTEGER NOT NULL,"
	"	not_after INTEGER NOT NULL"
	") STRICT, WITHOUT ROWID;"
	"CREATE INDEX certificates_by_node ON certificates (node_id);"
	"CREATE INDEX certificates_by_end ON certificates (not_after);"
	"CREATE TABLE tokens ("
	"	id INTEGER PRIMARY KEY AUTOINCREMENT,"
	"	hash TEXT NOT NULL UNIQUE,"
	"	role TEXT NOT NULL CHECK (role IN ('server', 'desktop')),"
	"	network TEXT NOT NULL,"
	"	note TEXT NOT NULL,"
	"	count INTEGER NOT NULL CHECK (count >= 1),"
	"	used INTEGER NOT NULL CHECK (used >= 0 AND used <= count),"
	"	created INTEGER NOT NULL,"
	"	expires INTEGER NOT NULL,"
	"	revoked INTEGER NOT NULL"
	") STRICT;"
	"CREATE TABLE joins ("
	"	id TEXT PRIMARY KEY,"
	"	name TEXT NOT NULL UNIQUE,"
	"	source TEXT NOT NULL,"
	"	key_fingerprint TEXT NOT NULL UNIQUE,"
	"	address TEXT NOT NULL,"
	"	relayed INTEGER NOT NULL,"
	"	state TEXT NOT NULL CHECK (state IN ('pending', 'approved', 'refused')),"
	"	role TEXT NOT NULL,"
	"	node_id INTEGER NOT NULL,"
	"	created INTEGER NOT NULL,"
	"	csr TEXT NOT NULL"
	") STRICT, WITHOUT ROWID;"
	"CREATE TABLE events ("
	"	id INTEGER PRIMARY KEY AUTOINCREMENT,"
	"	time INTEGER NOT NULL,"
	"	type TEXT NOT NULL,"
	"	subject TEXT NOT NULL,"
	"	by TEXT NOT NULL,"
	"	text TEXT NOT NULL"
	") STRICT;",
	/* 2: what was said last of a node */
	"CREATE INDEX events_by_subject ON events (subject, id);",
	/* 3: the signer knows which credentials there are, we know who came with them */
	"CREATE TABLE operator_uses ("
	"	serial TEXT PRIMARY KEY,"
	"	last_used INTEGER NOT NULL"
	") STRICT, WITHOUT ROWID;",
};

int store_schema_newest(void)
{
	return (int)ARRAY_LEN(migrations);
}

int store_error(struct sqlite3 *db, const char *what, struct err *e)
{
	int code = sqlite3_extended_errcode(db), r = -EIO;

	if ((code & 0xff) == SQLITE_FULL ||
	    ((code & 0xff) == SQLITE_IOERR && sqlite3_system_errno(db) == ENOSPC))
		return err_set(e, -ENOSPC,
			       "%s: the disk that holds the head's database is full; "
			       "make room on it and try again",
			       what);
	if (code == SQLITE_CONSTRAINT_UNIQUE || code == SQLITE_CONSTRAINT_PRIMARYKEY)
		r = -EEXIST;
	else if ((code & 0xff) == SQLITE_BUSY || (code & 0xff) == SQLITE_LOCKED)
		r = -EBUSY;
	else if ((code & 0xff) == SQLITE_NOMEM)
		r = -ENOMEM;
	return err_set(e, r, "%s: %s", what, sqlite3_errmsg(db));
}

static int run(struct sqlite3 *db, const char *sql, const char *what, struct err *e)
{
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK)
		return 0;
	return store_error(db, what, e);
}

static int read_version(struct sqlite3 *db, int *ret, struct err *e)
{
	sqlite3_stmt *st = NULL;
	int r = 0;

	if (sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &st, NULL) != SQLITE_OK ||
	    sqlite3_step(st) != SQLITE_ROW)
		r = store_error(db, "read the database's version", e);
	else
		*ret = sqlite3_column_int(st, 0);
	(void)sqlite3_finalize(st); /* repeats the failure of the step */
	return r;
}

int store_migrate(struct sqlite3 *db, int to, struct err *e)
{
	int newest = store_schema_newest();
	int version = 0;
	int r = read_version(db, &version, e);

	if (r < 0)
		return r;
	if (version > newest)
		return err_set(e, -ENOTSUP,
			       "the database has version %d and this comosix-headd knows %d at "
			       "most; install the newer CoMosix again, or restore a backup",
			       version, newest);
	if (!to)
		to = newest;
	for (; version < to; version++) {
		char set[64];

		(void)snprintf(set, sizeof(set), "PRAGMA user_version = %d", version + 1);
		r = run(db, "BEGIN IMMEDIATE", "bring the database up to date", e);
		if (r < 0)
			return r;
		r = run(db, migrations[version], "bring the database up to date", e);
		if (!r)
			r = run(db, set, "bring the database up to date", e);
		if (!r)
			r = run(db, "COMMIT", "bring the database up to date", e);
		if (r < 0) {
			(void)sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL); /* may be done */
			return r;
		}
	}
	return 0;
}
