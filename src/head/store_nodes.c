/* SPDX-License-Identifier: GPL-2.0-or-later */
/* store_nodes.c - the nodes of the cluster and the certificates they were given */
#include "head/store_query.h"

#include <errno.h>

#define COLUMNS                                                                                    \
	"id, name, role, state, key_fingerprint, address, relayed, joined, renewed, "              \
	"certificate_end"

static void take_node(sqlite3_stmt *st, void *to)
{
	struct store_node *n = to;

	*n = (struct store_node){ 0 };
	n->id = (uint32_t)sqlite3_column_int64(st, 0);
	query_text(st, 1, n->name, sizeof(n->name));
	query_text(st, 2, n->role, sizeof(n->role));
	query_text(st, 3, n->state, sizeof(n->state));
	query_text(st, 4, n->key_fingerprint, sizeof(n->key_fingerprint));
	query_text(st, 5, n->address, sizeof(n->address));
	n->relayed = sqlite3_column_int64(st, 6) != 0;
	n->joined = sqlite3_column_int64(st, 7);
	n->renewed = sqlite3_column_int64(st, 8);
	n->certificate_end = sqlite3_column_int64(st, 9);
}

int store_node_add(struct store *s, struct store_node *n, struct err *e)
{
	int64_t count = 0;
	int r = query_number(s, &count, e, "SELECT count(*) FROM nodes", "");

	if (r < 0)
		return r;
	if (count >= STORE_NODES_MAX)
		return err_set(e, -EDQUOT,
			       "the cluster has %d nodes, which is its limit; remove "
			       "some with 'comosix node remove'",
			       STORE_NODES_MAX);
	r = query_run(s, NULL, e,
		      "INSERT INTO nodes (" COLUMNS ") VALUES "
		      "(nullif(?, 0), ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		      "itttttiiii", (int64_t)n->id, n->name, n->role, n->state, n->key_fingerprint,
		      n->address, (int64_t)n->relayed, n->joined, n->renewed, n->certificate_end);
	if (!r && !n->id)
		n->id = (uint32_t)sqlite3_last_insert_rowid(s->db);
	return r;
}

static int find(struct store *s, sqlite3_stmt *st, struct store_node *ret, struct err *e)
{
	int r = query_row(s, st, e);

	if (r > 0)
		take_node(st, ret);
	query_close(st);
	return r > 0 ? 0 : r < 0 ? r : err_set(e, -ENOENT, "no such node");
}

int store_node_by_name(struct store *s, const char *name, struct store_node *ret, struct err *e)
{
	sqlite3_stmt *st;
	int r = query_open(s, &st, e, "SELECT " COLUMNS " FROM nodes WHERE name = ?", "t", name);

	return r < 0 ? r : find(s, st, ret, e);
}

int store_node_by_key(struct store *s, const char *key_fingerprint, struct store_node *ret,
		      struct err *e)
{
	sqlite3_stmt *st;
	int r = query_open(s, &st, e, "SELECT " COLUMNS " FROM nodes WHERE key_fingerprint = ?",
			   "t", key_fingerprint);

	return r < 0 ? r : find(s, st, ret, e);
}

int store_node_by_id(struct store *s, uint32_t id, struct store_node *ret, struct err *e)
{
	sqlite3_stmt *st;
	int r = query_open(s, &st, e, "SELECT " COLUMNS " FROM nodes WHERE id = ?", "i",
			   (int64_t)id);

	return r < 0 ? r : find(s, st, ret, e);
}

int store_node_update(struct store *s, const struct store_node *n, struct err *e)
{
	int changes = 0;
	int r = query_run(s, &changes, e,
			  "UPDATE nodes SET state = ?, address = ?, relayed = ?, renewed = ?, "
			  "certificate_end = ? WHERE id = ?",
			  "ttiiii", n->state, n->address, (int64_t)n->relayed, n->renewed,
			  n->certificate_end, (int64_t)n->id);

	return r < 0 || changes ? r : err_set(e, -ENOENT, "no such node");
}

int store_node_remove(struct store *s, uint32_t id, struct err *e)
{
	int changes = 0;
	int r = query_run(s, &changes, e, "DELETE FROM nodes WHERE id = ?", "i", (int64_t)id);

	return r < 0 || changes ? r : err_set(e, -ENOENT, "no such node");
}

int store_nodes(struct store *s, struct store_node **ret, size_t *ret_n, struct err *e)
{
	sqlite3_stmt *st;
	int r = query_open(s, &st, e, "SELECT " COLUMNS " FROM nodes ORDER BY id", "");

	return r < 0 ? r
		     : query_list(s, st, sizeof(**ret), STORE_NODES_MAX, take_node, (void **)ret,
				  ret_n, e);
}

int store_certificate_add(struct store *s, const char *serial, uint32_t node_id, int64_t now,
			  int64_t not_after, struct err *e)
{
	int r = query_run(s, NULL, e, "DELETE FROM certificates WHERE not_after < ?", "i", now);

	return r < 0 ? r
		     : query_run(s, NULL, e, "INSERT INTO certificates VALUES (?, ?, ?, ?)", "tiii",
				 serial, (int64_t)node_id, now, not_after);
}
