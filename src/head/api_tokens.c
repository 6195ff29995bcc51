/* SPDX-License-Identifier: GPL-2.0-or-later */
/* api_tokens.c - /tokens: join tokens */
#include <errno.h>

#include "base/parse.h"
#include "head/api.h"
#include "head/token.h"
#include "os/clock.h"
#include "os/rand.h"

#define COUNT_MAX   100000
#define EXPIRES_MIN 10
#define EXPIRES_MAX (365 * 24 * 3600)

static const char *token_state(const struct store_token *t, int64_t now)
{
	if (t->revoked)
		return "revoked";
	if (t->used >= t->count)
		return "used";
	return t->expires <= now ? "expired" : "open";
}

static json_t *token_json(const struct store_token *t, int64_t now)
{
	return json_pack("{s:I, s:s, s:s, s:I, s:I, s:o, s:o, s:s, s:s}", "id", (json_int_t)t->id,
			 "state", token_state(t, now), "role", t->role, "count",
			 (json_int_t)t->count, "used", (json_int_t)t->used, "created",
			 reply_time(t->created), "expires", reply_time(t->expires), "network",
			 t->network, "note", t->note);
}

void api_tokens(struct api *a, const struct http_request *q, struct http_reply *to)
{
	AUTO_FREE struct store_token *list = NULL;
	int64_t now = clock_wall_s();
	json_t *rows;
	struct err e = { 0 };
	size_t n;
	int r;

	(void)q;
	if (!api_begin(a, to))
		return;
	r = store_tokens(a->store, &list, &n, &e);
	store_rollback(a->store); /* nothing was written */
	if (r < 0) {
		reply_err(to, r, &e);
		return;
	}
	rows = json_array();
	for (size_t i = 0; i < n; i++)
		(void)json_array_append_new(rows, token_json(&list[i], now)); /* NULL: a row less */
	reply_json(to, 200, json_pack("{s:o}", "tokens", rows));
}

/* begins a transaction and finds the token of the path; else has answered */
static bool begin_with_token(struct api *a, const struct http_request *q, struct store_token *ret,
			     struct http_reply *to)
{
	uint32_t id = 0;
	struct err e = { 0 };
	int r;

	if (!api_begin(a, to))
		return false;
	r = parse_u32(q->word, &id) < 0 ? -ENOENT : store_token_by_id(a->store, id, ret, &e);
	return api_found(a, r, &e, to, "there is no token %s; 'comosix token list' lists them",
			 q->word);
}

void api_token(struct api *a, const struct http_request *q, struct http_reply *to)
{
	struct store_token t;

	if (!begin_with_token(a, q, &t, to))
		return;
	store_rollback(a->store);
	reply_json(to, 200, token_json(&t, clock_wall_s()));
}

void api_token_revoke(struct api *a, const struct http_request *q, struct http_reply *to)
{
	struct store_token t;
	struct err e = { 0 };
	int r;

	if (!begin_with_token(a, q, &t, to))
		return;
	r = store_token_revoke(a->store, t.id, &e);
	if (!r)
		r = api_event(a, "token.revoked", q->word, api_by(q), "was taken back", &e);
	api_finish(a, NULL, 204, r, &e, to);
}

/* values of a request for a token; else has answered */
static bool token_from_body(const json_t *body, int64_t now, struct store_token *ret,
			    struct http_reply *to)
{
	const char *role = "desktop", *network = "", *note = "";
	json_int_t count = 1, expires_s = 600;
	json_error_t je;

	if (json_unpack_ex((json_t *)body, &je, JSON_STRICT, "{s?s, s?I, s?I, s?s, s?s}", "role",
			   &role, "count", &count, "expires_s", &expires_s, "network", &network,
			   "note", &note) < 0) {
		reply_problem(to, PROBLEM_BAD_VALUE, "%s", je.text);
		return false;
	}
	if (strcmp(role, "desktop") != 0 && strcmp(role, "server") != 0)
		reply_problem(to, PROBLEM_BAD_VALUE, "role must be desktop or server");
	else if (count < 1 || count > COUNT_MAX)
		reply_problem(to, PROBLEM_BAD_VALUE, "count must be 1 to %d", COUNT_MAX);
	else if (expires_s < EXPIRES_MIN || expires_s > EXPIRES_MAX)
		reply_problem(to, PROBLEM_BAD_VALUE, "expires_s must be %d to %d (a year)",
			      EXPIRES_MIN, EXPIRES_MAX);
	else if (network[0] && (!network_ok(network) || strlen(network) >= sizeof(ret->network)))
		reply_problem(to, PROBLEM_BAD_VALUE,
			      "network must be an address with a prefix, as in 10.0.0.0/8");
	else if (strlen(note) >= sizeof(ret->note))
		reply_problem(to, PROBLEM_BAD_VALUE, "note may have %zu bytes at most",
			      sizeof(ret->note) - 1);
	else {
		*ret = (struct store_token){ .count = (uint32_t)count,
					     .created = now,
					     .expires = now + expires_s };
		(void)snprintf(ret->role, sizeof(ret->role), "%s", role);
		(void)snprintf(ret->network, sizeof(ret->network), "%s", network);
		(void)snprintf(ret->note, sizeof(ret->note), "%s", note);
		return true;
	}
	return false;
}

void api_token_create(struct api *a, const struct http_request *q, struct http_reply *to)
{
	char text[TOKEN_TEXT], number[16], what[STORE_TEXT_MAX];
	int64_t now = clock_wall_s();
	uint8_t random[16];
	struct store_token t;
	struct token token;
	struct err e = { 0 };
	json_t *j;
	int r;

	if (!token_from_body(q->body, now, &t, to))
		return;
	rand_bytes(random, sizeof(random));
	token_secret(random, token.secret);
	(void)snprintf(token.cluster, sizeof(token.cluster), "%.*s", TOKEN_CLUSTER_LEN,
		       a->cluster->id);
	(void)snprintf(token.pin, sizeof(token.pin), "%.*s", TOKEN_PIN_LEN, a->fingerprint);
	token_format(&token, text);
	r = token_hash(token.secret, t.hash);
	if (r < 0) {
		reply_problem(to, PROBLEM_INTERNAL, "no SHA-256; see the head's log");
		return;
	}
	if (!api_begin(a, to))
		return;
	r = store_token_add(a->store, &t, now, &e);
	(void)snprintf(number, sizeof(number), "%u", t.id);
	(void)snprintf(what, sizeof(what), "for %u %s%s", t.count, t.role, t.count > 1 ? "s" : "");
	if (!r)
		r = api_event(a, "token.created", number, api_by(q), what, &e);
	if (r < 0) {
		store_rollback(a->store);
		reply_err(to, r, &e);
		return;
	}
	if (!api_commit(a, to))
		return;
	j = token_json(&t, now);
	/* a failure here is seen by the client, who misses them */
	if (j) {
		(void)json_object_set_new(j, "token", json_string(text));
		(void)json_object_set_new(j, "head_url", json_string(a->url));
	}
	reply_json(to, 201, j);
}
