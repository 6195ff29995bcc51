/* SPDX-License-Identifier: GPL-2.0-or-later */
/* api_nodes.c - /nodes: who belongs to the cluster, and who no longer does */
#include "head/api_nodes.h"

#include <errno.h>

#include "log/log.h"
#include "os/clock.h"

const char *const node_state_names[NODE_STATE_COUNT] = {
#define NODE_STATE_NAME(name, word) [NODE_##name] = word,
	NODE_STATES(NODE_STATE_NAME)
#undef NODE_STATE_NAME
};

enum node_state api_node_state(struct api *a, const struct store_node *n, struct live_member *m)
{
	bool live = live_get(a->live, n->id, m);

	if (!strcmp(n->state, "revoked"))
		return NODE_REVOKED;
	for (size_t i = 0; live && i < NODE_STATE_COUNT; i++)
		if (!strcmp(m->state, node_state_names[i]))
			return (enum node_state)i;
	return NODE_UNKNOWN;
}

static json_t *load_json(const struct live_member *m)
{
	uint64_t age_ms = m->age_ms + (clock_boot_ms() - m->seen_ms);

	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "cpus", (json_int_t)m->cpus,
			 "load_percent", (json_int_t)m->load_percent, "speed", (json_int_t)m->speed,
			 "memory_bytes", (json_int_t)m->memory_bytes, "memory_free_bytes",
			 (json_int_t)m->memory_free_bytes, "guests", (json_int_t)m->guests,
			 "age_ms", (json_int_t)age_ms);
}

static json_t *node_json(struct api *a, const struct store_node *n)
{
	struct live_member m;
	enum node_state state = api_node_state(a, n, &m);
	bool loaded = (state == NODE_ALIVE || state == NODE_SUSPECT) && m.cpus;

	return json_pack("{s:I, s:s, s:s, s:s, s:s, s:b, s:s, s:o, s:o, s:o, s:o}", "id",
			 (json_int_t)n->id, "name", n->name, "role", n->role, "state",
			 node_state_names[state], "address", n->address, "relayed", (int)n->relayed,
			 "key_fingerprint", n->key_fingerprint, "joined", reply_time(n->joined),
			 "renewed", reply_time(n->renewed), "certificate_end",
			 reply_time(n->certificate_end), "load",
			 loaded ? load_json(&m) : json_null());
}

void api_nodes(struct api *a, const struct http_request *q, struct http_reply *to)
{
	AUTO_FREE struct store_node *list = NULL;
	json_t *rows;
	struct err e = { 0 };
	size_t n;
	int r;

	(void)q;
	if (!api_begin(a, to))
		return;
	r = store_nodes(a->store, &list, &n, &e);
	store_rollback(a->store); /* nothing was written */
	if (r < 0) {
		reply_err(to, r, &e);
		return;
	}
	rows = json_array();
	for (size_t i = 0; i < n; i++)
		(void)json_array_append_new(rows, node_json(a, &list[i])); /* NULL: a row less */
	reply_json(to, 200, json_pack("{s:o}", "nodes", rows));
}

/* begins a transaction and finds the node of the path; else has answered */
static bool begin_with_node(struct api *a, const struct http_request *q, struct store_node *ret,
			    struct http_reply *to)
{
	struct err e = { 0 };

	return api_begin(a, to) &&
	       api_found(a, store_node_by_name(a->store, q->word, ret, &e), &e, to,
			 "no node is called '%s'; 'comosix nodes' lists them", q->word);
}

void api_node(struct api *a, const struct http_request *q, struct http_reply *to)
{
	struct store_node n;

	if (!begin_with_node(a, q, &n, to))
		return;
	store_rollback(a->store);
	reply_json(to, 200, node_json(a, &n));
}

void api_node_remove(struct api *a, const struct http_request *q, struct http_reply *to)
{
	struct store_node n;
	struct err e = { 0 };
	int r;

	if (!begin_with_node(a, q, &n, to))
		return;
	if (strcmp(n.state, "revoked") != 0) {
		store_rollback(a->store);
		reply_problem(to, PROBLEM_CONFLICT,
			      "%s is a member; expel it first with 'comosix node revoke %s'",
			      n.name, n.name);
		return;
	}
	r = store_node_remove(a->store, n.id, &e);
	if (!r)
		r = api_event(a, "node.removed", n.name, api_by(q), "was forgotten", &e);
	api_finish(a, NULL, 204, r, &e, to);
}

bool api_spread(struct api *a, const struct sign_result *res)
{
	struct err e = { 0 };

	if (!help_statement(&a->help, buf_bytes(&res->statement), res->statement.len, &e))
		return true;
	log_warn("the revocation list waits for comosixd: %s", e.text);
	return false;
}

void api_node_revoke(struct api *a, const struct http_request *q, struct http_reply *to)
{
	struct sign_result res;
	struct store_node n;
	struct err e = { 0 };
	bool told;
	int r;

	if (!begin_with_node(a, q, &n, to))
		return;
	if (n.id == HEAD_NODE_ID) {
		store_rollback(a->store);
		reply_problem(to, PROBLEM_CONFLICT, "the head cannot be expelled from its cluster");
		return;
	}
	/*
	 * The signer first: once its list says so no certificate is made for the node any more. If
	 * we fail after that, the same request again finishes the work.
	 */
	r = sign_revoke(&a->sign, n.name, n.id, &res, &e);
	if (r < 0) {
		store_rollback(a->store);
		reply_err(to, r, &e);
		return;
	}
	(void)snprintf(n.state, sizeof(n.state), "revoked");
	r = store_node_update(a->store, &n, &e);
	if (!r)
		r = api_event(a, "node.revoked", n.name, api_by(q), "was expelled", &e);
	if (r < 0) {
		store_rollback(a->store);
		reply_err(to, r, &e);
	} else if (api_commit(a, to)) {
		r = 0;
	} else {
		r = -EIO;
	}
	/* whatever our disk says: the peers shall know at once */
	told = api_spread(a, &res);
	if (!r)
		reply_json(to, 200,
			   json_pack("{s:s, s:I, s:b}", "name", n.name, "epoch",
				     (json_int_t)res.epoch, "spreading", (int)told));
	sign_result_done(&res);
}
