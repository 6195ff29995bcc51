/* SPDX-License-Identifier: GPL-2.0-or-later */
/* store.c - open the control point's database; transactions and statements */
#include "head/store_query.h"

#include <errno.h>
#include <stdarg.h>

#include "head/store_schema.h"

#define BUSY_MS	   5000
#define LIST_FIRST 16

/* applied to every connection, in this order */
static const char *const pragmas[] = {
	"PRAGMA journal_mode = WAL",
	"PRAGMA synchronous = FULL",
	"PRAGMA foreign_keys = ON",
	"PRAGMA temp_store = MEMORY", /* there is no /tmp where we live */
	"PRAGMA trusted_schema = OFF",
	"PRAGMA journal_size_limit = 1048576",
};

int store_open(const char *path, struct store **ret, struct err *e)
{
	struct store *s = calloc(1, sizeof(*s));
	int r = 0;

	if (!s)
		return err_set(e, -ENOMEM, "out of memory");
	pthread_mutex_init(&s->lock, NULL);
	if (sqlite3_open_v2(path, &s->db,
			    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX |
				    SQLITE_OPEN_NOFOLLOW,
			    NULL) != SQLITE_OK) {
		r = s->db ? store_error(s->db, "open the head's database", e)
			  : err_set(e, -ENOMEM, "out of memory");
		store_close(s);
		return r;
	}
	(void)sqlite3_extended_result_codes(s->db, 1); /* cannot fail on an open connection */
	(void)sqlite3_busy_timeout(s->db, BUSY_MS);
	for (size_t i = 0; !r && i < ARRAY_LEN(pragmas); i++)
		if (sqlite3_exec(s->db, pragmas[i], NULL, NULL, NULL) != SQLITE_OK)
			r = store_error(s->db, "open the head's database", e);
	if (!r)
		r = store_migrate(s->db, 0, e);
	if (r < 0) {
		store_close(s);
		return r;
	}
	*ret = s;
	return 0;
}

void store_close(struct store *s)
{
	if (!s)
		return;
	(void)sqlite3_close(s->db); /* no statement is open outside a transaction */
	pthread_mutex_destroy(&s->lock);
	free(s);
}

int store_begin(struct store *s, struct err *e)
{
	pthread_mutex_lock(&s->lock);
	if (sqlite3_exec(s->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK) {
		int r = store_error(s->db, "begin", e);

		pthread_mutex_unlock(&s->lock);
		return r;
	}
	return 0;
}

int store_commit(struct store *s, struct err *e)
{
	int r = 0;

	if (sqlite3_exec(s->db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK) {
		r = store_error(s->db, "save", e);
		(void)sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL); /* may be done already */
	}
	pthread_mutex_unlock(&s->lock);
	return r;
}

void store_rollback(struct store *s)
{
	(void)sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL); /* SQLite may have done it */
	pthread_mutex_unlock(&s->lock);
}

static int bind_all(sqlite3_stmt *st, const char *types, va_list ap)
{
	for (int i = 0; types[i]; i++) {
		int r;

		if (types[i] == 't')
			r = sqlite3_bind_text(st, i + 1, va_arg(ap, const char *), -1,
					      SQLITE_TRANSIENT);
		else
			r = sqlite3_bind_int64(st, i + 1, va_arg(ap, int64_t));
		if (r != SQLITE_OK)
			return r;
	}
	return SQLITE_OK;
}

static int open_bound(struct store *s, sqlite3_stmt **ret, struct err *e, const char *sql,
		      const char *types, va_list ap)
{
	sqlite3_stmt *st = NULL;

	if (sqlite3_prepare_v2(s->db, sql, -1, &st, NULL) != SQLITE_OK ||
	    bind_all(st, types, ap) != SQLITE_OK) {
		int r = store_error(s->db, "the head's database", e);

		(void)sqlite3_finalize(st); /* was never stepped */
		return r;
	}
	*ret = st;
	return 0;
}

int query_open(struct store *s, sqlite3_stmt **ret, struct err *e, const char *sql,
	       const char *types, ...)
{
	va_list ap;
	int r;

	va_start(ap, types);
	r = open_bound(s, ret, e, sql, types, ap);
	va_end(ap);
	return r;
}

int query_row(struct store *s, sqlite3_stmt *st, struct err *e)
{
	int r = sqlite3_step(st);

	if (r == SQLITE_ROW)
		return 1;
	return r == SQLITE_DONE ? 0 : store_error(s->db, "the head's database", e);
}

void query_close(sqlite3_stmt *st)
{
	(void)sqlite3_finalize(st); /* repeats what the step said */
}

int query_run(struct store *s, int *ret_changes, struct err *e, const char *sql, const char *types,
	      ...)
{
	sqlite3_stmt *st;
	va_list ap;
	int r;

	va_start(ap, types);
	r = open_bound(s, &st, e, sql, types, ap);
	va_end(ap);
	if (r < 0)
		return r;
	do
		r = query_row(s, st, e);
	while (r > 0);
	query_close(st);
	if (!r && ret_changes)
		*ret_changes = sqlite3_changes(s->db);
	return r;
}

int query_number(struct store *s, int64_t *ret, struct err *e, const char *sql, const char *types,
		 ...)
{
	sqlite3_stmt *st;
	va_list ap;
	int r;

	va_start(ap, types);
	r = open_bound(s, &st, e, sql, types, ap);
	va_end(ap);
	if (r < 0)
		return r;
	r = query_row(s, st, e);
	if (r > 0)
		*ret = sqlite3_column_int64(st, 0);
	query_close(st);
	return r > 0 ? 0 : r < 0 ? r : err_set(e, -ENOENT, "no such row");
}

void query_text(sqlite3_stmt *st, int column, char *to, size_t size)
{
	const char *t = (const char *)sqlite3_column_text(st, column);

	(void)snprintf(to, size, "%s", t ? t : ""); /* only what we wrote is in there */
}

int query_list(struct store *s, sqlite3_stmt *st, size_t size, size_t max,
	       void (*take)(sqlite3_stmt *st, void *to), void **ret, size_t *ret_n, struct err *e)
{
	size_t n = 0, room = LIST_FIRST;
	char *list = calloc(room, size);
	int r = list ? 1 : err_set(e, -ENOMEM, "out of memory");

	while (r > 0 && n < max && (r = query_row(s, st, e)) > 0) {
		if (n == room) {
			char *more = reallocarray(list, room * 2, size);

			if (!more) {
				r = err_set(e, -ENOMEM, "out of memory");
				break;
			}
			memset(more + room * size, 0, room * size);
			list = more;
			room *= 2;
		}
		take(st, list + n++ * size);
	}
	query_close(st);
	if (r < 0) {
		free(list);
		return r;
	}
	*ret = list;
	*ret_n = n;
	return 0;
}
