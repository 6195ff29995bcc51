/* SPDX-License-Identifier: GPL-2.0-or-later */
/* store_query.h - SQL statements of the store's own files, with their values bound */
#ifndef HEAD_STORE_QUERY_H
#define HEAD_STORE_QUERY_H

#include <pthread.h>
#include <sqlite3.h>

#include "head/store.h"

struct store {
	sqlite3 *db;	      /* owned */
	pthread_mutex_t lock; /* held from store_begin() to store_commit() or store_rollback() */
};

/**
 * query_open() - Prepare a statement and bind its values
 * @s:		Inside store_begin()
 * @ret:	Ended with query_close()
 * @e:		Reason
 * @sql:	One statement
 * @types:	A letter for each value: t const char *, i int64_t
 *
 * Return: 0 or -errno
 */
int query_open(struct store *s, sqlite3_stmt **ret, struct err *e, const char *sql,
	       const char *types, ...) MUST_CHECK;

/** query_row() - Step: 1 a row, 0 done, -errno */
int query_row(struct store *s, sqlite3_stmt *st, struct err *e) MUST_CHECK;
void query_close(sqlite3_stmt *st);

/** query_run() - Open, step to the end, close; *ret_changes (may be NULL): rows changed */
int query_run(struct store *s, int *ret_changes, struct err *e, const char *sql, const char *types,
	      ...) MUST_CHECK;

/** query_number() - The number in the first column of the first row; -ENOENT when there is none */
int query_number(struct store *s, int64_t *ret, struct err *e, const char *sql, const char *types,
		 ...) MUST_CHECK;

/** query_text() - A column into a fixed field; what does not fit is cut */
void query_text(sqlite3_stmt *st, int column, char *to, size_t size);

/**
 * query_list() - Rows of an open statement into an array
 * @s, @st:	An open statement; closed here
 * @size:	Of one element
 * @max:	More rows are left out
 * @take:	Fills one element from the current row
 * @ret, @ret_n: The array, freed by the caller; set on success only
 * @e:		Reason
 *
 * Return: 0 or -errno
 */
int query_list(struct store *s, sqlite3_stmt *st, size_t size, size_t max,
	       void (*take)(sqlite3_stmt *st, void *to), void **ret, size_t *ret_n, struct err *e)
	MUST_CHECK;

#endif
