/* SPDX-License-Identifier: GPL-2.0-or-later */
/* api_cluster.c - /cluster, /health, /ca and the like: what the head says about itself */
#include <gnutls/gnutls.h>

#include "config.h"
#include "head/api_nodes.h"
#include "head/openapi.h"
#include "os/clock.h"

void api_openapi(struct api *a, const struct http_request *q, struct http_reply *to)
{
	(void)a;
	(void)q;
	to->status = 200;
	to->type = "application/json";
	to->fixed = (const char *)openapi_json;
	to->len = openapi_json_len;
}

void api_ca(struct api *a, const struct http_request *q, struct http_reply *to)
{
	(void)q;
	reply_json(to, 200,
		   json_pack("{s:s, s:s, s:s, s:s}", "cluster", a->cluster->id, "name",
			     a->cluster->name, "fingerprint", a->fingerprint, "certificate",
			     a->ca_pem));
}

static bool store_works(struct api *a)
{
	int64_t last;
	int r = store_begin(a->store, NULL);

	if (r < 0)
		return false;
	r = store_event_last(a->store, &last, NULL);
	store_rollback(a->store);
	return r == 0;
}

static bool signer_works(struct api *a, uint64_t *ret_epoch)
{
	struct sign_result res;

	if (sign_statement(&a->sign, &res, NULL) < 0)
		return false;
	*ret_epoch = res.epoch;
	sign_result_done(&res);
	return true;
}

static json_t *health_json(struct api *a, uint64_t *ret_epoch)
{
	bool store = store_works(a), signer = signer_works(a, ret_epoch);

	return json_pack("{s:s, s:s, s:s, s:s}", "status", store && signer ? "ok" : "failing",
			 "store", store ? "ok" : "failing", "signer", signer ? "ok" : "failing",
			 "comosixd", live_connected(a->live) ? "ok" : "away");
}

void api_health(struct api *a, const struct http_request *q, struct http_reply *to)
{
	uint64_t epoch = 0;
	json_t *j = health_json(a, &epoch);
	bool ok = j && !strcmp(json_string_value(json_object_get(j, "status")), "ok");

	(void)q;
	reply_json(to, ok ? 200 : 503, j);
}

void api_cluster(struct api *a, const struct http_request *q, struct http_reply *to)
{
	AUTO_FREE struct store_node *list = NULL;
	AUTO_FREE struct store_join *joins = NULL;
	size_t counts[NODE_STATE_COUNT] = { 0 };
	size_t n = 0, n_joins = 0;
	uint64_t epoch = 0;
	json_t *states, *health;
	struct err e = { 0 };
	int r;

	(void)q;
	if (!api_begin(a, to))
		return;
	r = store_nodes(a->store, &list, &n, &e);
	if (!r)
		r = store_joins(a->store, &joins, &n_joins, &e);
	store_rollback(a->store); /* nothing was written */
	if (r < 0) {
		reply_err(to, r, &e);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		struct live_member m;

		counts[api_node_state(a, &list[i], &m)]++;
	}
	states = json_object();
	for (size_t i = 0; i < NODE_STATE_COUNT; i++)
		(void)json_object_set_new(states, node_state_names[i],
					  json_integer((json_int_t)counts[i])); /* seen below */
	health = health_json(a, &epoch);
	reply_json(to, 200,
		   json_pack("{s:s, s:s, s:s, s:o, s:s, s:s, s:o, s:I, s:I, s:o}", "id",
			     a->cluster->id, "name", a->cluster->name, "head_url", a->url,
			     "created", reply_time(a->cluster->created), "fingerprint",
			     a->fingerprint, "version", COMOSIX_VERSION, "nodes", states, "pending",
			     (json_int_t)n_joins, "revocation_epoch", (json_int_t)epoch, "health",
			     health));
}

void api_revocations(struct api *a, const struct http_request *q, struct http_reply *to)
{
	gnutls_datum_t raw, text = { 0 };
	struct sign_result res;
	struct err e = { 0 };
	int r = sign_statement(&a->sign, &res, &e);

	(void)q;
	if (r < 0) {
		reply_err(to, r, &e);
		return;
	}
	raw = (gnutls_datum_t){ (uint8_t *)buf_bytes(&res.statement),
				(unsigned int)res.statement.len };
	if (raw.size && gnutls_base64_encode2(&raw, &text) < 0)
		reply_problem(to, PROBLEM_INTERNAL, "the head is out of memory; try again");
	else
		reply_json(to, 200,
			   json_pack("{s:I, s:s%}", "epoch", (json_int_t)res.epoch, "statement",
				     text.data ? (char *)text.data : "", (size_t)text.size));
	gnutls_free(text.data);
	sign_result_done(&res);
}
