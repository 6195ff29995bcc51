/* SPDX-License-Identifier: GPL-2.0-or-later */
/* store_tokens.c - join tokens, and machines that asked to join without one */
#include "head/store_query.h"

#include <errno.h>

#define TOKEN_COLUMNS "id, hash, role, network, note, count, used, created, expires, revoked"
#define JOIN_COLUMNS                                                                               \
	"id, name, source, key_fingerprint, address, relayed, state, role, node_id, created, csr"

/* --- tokens --- */

static void take_token(sqlite3_stmt *st, void *to)
{
	struct store_token *t = to;

	*t = (struct store_token){ 0 };
	t->id = (uint32_t)sqlite3_column_int64(st, 0);
	query_text(st, 1, t->hash, sizeof(t->hash));
	query_text(st, 2, t->role, sizeof(t->role));
	query_text(st, 3, t->network, sizeof(t->network));
	query_text(st, 4, t->note, sizeof(t->note));
	t->count = (uint32_t)sqlite3_column_int64(st, 5);
	t->used = (uint32_t)sqlite3_column_int64(st, 6);
	t->created = sqlite3_column_int64(st, 7);
	t->expires = sqlite3_column_int64(st, 8);
	t->revoked = sqlite3_column_int64(st, 9) != 0;
}

/* the first column of the first row */
static int read_number(struct store *s, sqlite3_stmt *st, int64_t *ret, struct err *e)
{
	int r = query_row(s, st, e);

	if (r > 0)
		*ret = sqlite3_column_int64(st, 0);
	query_close(st);
	return r < 0 ? r : 0;
}

int store_token_add(struct store *s, struct store_token *t, int64_t now, struct err *e)
{
	int64_t count = 0;
	sqlite3_stmt *st;
	int r;

	/* a week after its end nobody asks any longer why a token was refused */
	r = query_run(s, NULL, e, "DELETE FROM tokens WHERE expires < ?", "i", now - 7 * 24 * 3600);
	if (!r)
		r = query_open(s, &st, e, "SELECT count(*) FROM tokens", "");
	if (!r)
		r = read_number(s, st, &count, e);
	if (r < 0)
		return r;
	if (count >= STORE_TOKENS_MAX)
		return err_set(e, -EDQUOT,
			       "there are %d tokens, which is the limit; wait until "
			       "some have expired",
			       STORE_TOKENS_MAX);
	r = query_run(s, NULL, e,
		      "INSERT INTO tokens (hash, role, network, note, count, used, created, "
		      "expires, revoked) VALUES (?, ?, ?, ?, ?, 0, ?, ?, 0)",
		      "ttttiii", t->hash, t->role, t->network, t->note, (int64_t)t->count,
		      t->created, t->expires);
	if (!r)
		t->id = (uint32_t)sqlite3_last_insert_rowid(s->db);
	return r;
}

static int find_token(struct store *s, sqlite3_stmt *st, struct store_token *ret, struct err *e)
{
	int r = query_row(s, st, e);

	if (r > 0)
		take_token(st, ret);
	query_close(st);
	return r > 0 ? 0 : r < 0 ? r : err_set(e, -ENOENT, "no such token");
}

int store_token_by_hash(struct store *s, const char *hash, struct store_token *ret, struct err *e)
{
	sqlite3_stmt *st;
	int r = query_open(s, &st, e, "SELECT " TOKEN_COLUMNS " FROM tokens WHERE hash = ?", "t",
			   hash);

	return r < 0 ? r : find_token(s, st, ret, e);
}

int store_token_by_id(struct store *s, uint32_t id, struct store_token *ret, struct err *e)
{
	sqlite3_stmt *st;
	int r = query_open(s, &st, e, "SELECT " TOKEN_COLUMNS " FROM tokens WHERE id = ?", "i",
			   (int64_t)id);

	return r < 0 ? r : find_token(s, st, ret, e);
}

int store_token_use(struct store *s, uint32_t id, int64_t now, struct err *e)
{
	int changes = 0;
	int r = query_run(s, &changes, e,
			  "UPDATE tokens SET used = used + 1 WHERE id = ? AND used < count "
			  "AND expires > ? AND NOT revoked",
			  "ii", (int64_t)id, now);

	return r < 0 || changes ? r : err_set(e, -ENOENT, "the token cannot be used any more");
}

int store_token_revoke(struct store *s, uint32_t id, struct err *e)
{
	int changes = 0;
	int r = query_run(s, &changes, e, "UPDATE tokens SET revoked = 1 WHERE id = ?", "i",
			  (int64_t)id);

	return r < 0 || changes ? r : err_set(e, -ENOENT, "no such token");
}

int store_tokens(struct store *s, struct store_token **ret, size_t *ret_n, struct err *e)
{
	sqlite3_stmt *st;
	int r = query_open(s, &st, e, "SELECT " TOKEN_COLUMNS " FROM tokens ORDER BY id", "");

	return r < 0 ? r
		     : query_list(s, st, sizeof(**ret), STORE_TOKENS_MAX, take_token, (void **)ret,
				  ret_n, e);
}

/* --- pending joins --- */

static void take_join(sqlite3_stmt *st, void *to)
{
	struct store_join *j = to;

	*j = (struct store_join){ 0 };
	query_text(st, 0, j->id, sizeof(j->id));
	query_text(st, 1, j->name, sizeof(j->name));
	query_text(st, 2, j->source, sizeof(j->source));
	query_text(st, 3, j->key_fingerprint, sizeof(j->key_fingerprint));
	query_text(st, 4, j->address, sizeof(j->address));
	j->relayed = sqlite3_column_int64(st, 5) != 0;
	query_text(st, 6, j->state, sizeof(j->state));
	query_text(st, 7, j->role, sizeof(j->role));
	j->node_id = (uint32_t)sqlite3_column_int64(st, 8);
	j->created = sqlite3_column_int64(st, 9);
	query_text(st, 10, j->csr, sizeof(j->csr));
}

int store_join_add(struct store *s, const struct store_join *j, struct err *e)
{
	int64_t count = 0;
	sqlite3_stmt *st;
	int r = query_open(s, &st, e, "SELECT count(*) FROM joins", "");

	if (!r)
		r = read_number(s, st, &count, e);
	if (r < 0)
		return r;
	if (count >= STORE_JOINS_MAX)
		return err_set(e, -EDQUOT,
			       "%d machines are waiting to be let in, which is the limit; the "
			       "operator must approve or refuse some first",
			       STORE_JOINS_MAX);
	return query_run(s, NULL, e,
			 "INSERT INTO joins (" JOIN_COLUMNS ") "
			 "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
			 "tttttittiit", j->id, j->name, j->source, j->key_fingerprint, j->address,
			 (int64_t)j->relayed, j->state, j->role, (int64_t)j->node_id, j->created,
			 j->csr);
}

static int find_join(struct store *s, sqlite3_stmt *st, struct store_join *ret, struct err *e)
{
	int r = query_row(s, st, e);

	if (r > 0)
		take_join(st, ret);
	query_close(st);
	return r > 0 ? 0 : r < 0 ? r : err_set(e, -ENOENT, "no such request to join");
}

int store_join_by_id(struct store *s, const char *id, struct store_join *ret, struct err *e)
{
	sqlite3_stmt *st;
	int r = query_open(s, &st, e, "SELECT " JOIN_COLUMNS " FROM joins WHERE id = ?", "t", id);

	return r < 0 ? r : find_join(s, st, ret, e);
}

int store_join_by_name(struct store *s, const char *name, struct store_join *ret, struct err *e)
{
	sqlite3_stmt *st;
	int r = query_open(s, &st, e, "SELECT " JOIN_COLUMNS " FROM joins WHERE name = ?", "t",
			   name);

	return r < 0 ? r : find_join(s, st, ret, e);
}

int store_join_by_key(struct store *s, const char *key_fingerprint, struct store_join *ret,
		      struct err *e)
{
	sqlite3_stmt *st;
	int r = query_open(s, &st, e,
			   "SELECT " JOIN_COLUMNS " FROM joins WHERE key_fingerprint = ?", "t",
			   key_fingerprint);

	return r < 0 ? r : find_join(s, st, ret, e);
}

int store_join_decide(struct store *s, const struct store_join *j, struct err *e)
{
	int changes = 0;
	int r = query_run(s, &changes, e,
			  "UPDATE joins SET state = ?, role = ?, node_id = ? WHERE id = ?", "ttit",
			  j->state, j->role, (int64_t)j->node_id, j->id);

	return r < 0 || changes ? r : err_set(e, -ENOENT, "no such request to join");
}

int store_joins_expire(struct store *s, int64_t before, struct err *e)
{
	return query_run(s, NULL, e, "DELETE FROM joins WHERE created < ?", "i", before);
}

int store_joins(struct store *s, struct store_join **ret, size_t *ret_n, struct err *e)
{
	sqlite3_stmt *st;
	int r = query_open(s, &st, e,
			   "SELECT id, name, source, key_fingerprint, address, relayed, state, "
			   "role, node_id, created, '' FROM joins WHERE state = 'pending' "
			   "ORDER BY created, name",
			   "");

	return r < 0 ? r
		     : query_list(s, st, sizeof(**ret), STORE_JOINS_MAX, take_join, (void **)ret,
				  ret_n, e);
}

int store_joins_from(struct store *s, const char *source, uint32_t *ret, struct err *e)
{
	int64_t n = 0;
	sqlite3_stmt *st;
	int r = query_open(s, &st, e,
			   "SELECT count(*) FROM joins WHERE source = ? AND state = 'pending'", "t",
			   source);

	if (!r)
		r = read_number(s, st, &n, e);
	*ret = (uint32_t)n;
	return r;
}
