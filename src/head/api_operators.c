/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * api_operators.c - /operators: the credentials that steer the cluster
 *
 * They are made on the head by root ('comosix init', 'comosix-headd operator', and the helper that
 * renews the one in /etc), never here: who takes over the web process cannot make one. Here they
 * are listed and revoked. A revoked one is refused by the API at its next request, and by each node
 * as soon as it has the new list.
 */
#include <errno.h>

#include "head/api.h"
#include "os/clock.h"

static const char *state_of(const struct sign_operator *o, int64_t now)
{
	if (o->revoked)
		return "revoked";
	return o->not_after <= now ? "expired" : "valid";
}

static json_t *operator_json(const struct sign_operator *o, int64_t last_used, const char *own,
			     int64_t now)
{
	return json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:b}", "serial", o->serial, "name",
			 o->name, "state", state_of(o, now), "issued", reply_time(o->issued),
			 "expires", reply_time(o->not_after), "last_used", reply_time(last_used),
			 "own", (int)!strcmp(o->serial, own));
}

void api_operators(struct api *a, const struct http_request *q, struct http_reply *to)
{
	int64_t now = clock_wall_s();
	struct sign_result res;
	json_t *rows;
	struct err e = { 0 };
	int r = sign_operators(&a->sign, &res, &e);

	if (r < 0) {
		reply_err(to, r, &e);
		return;
	}
	rows = json_array();
	r = store_begin(a->store, &e);
	if (!r) {
		for (size_t i = 0; !r && i < res.n_operators; i++) {
			int64_t used = 0;

			r = store_operator_use(a->store, res.operators[i].serial, &used, &e);
			(void)json_array_append_new(
				rows, operator_json(&res.operators[i], used, q->who.serial,
						    now)); /* NULL: a row less */
		}
		store_rollback(a->store); /* nothing was written */
	}
	sign_result_done(&res);
	if (r < 0) {
		json_decref(rows);
		reply_err(to, r, &e);
		return;
	}
	reply_json(to, 200, json_pack("{s:o}", "operators", rows));
}

/* inside a transaction: may this one go? Else has answered */
static bool may_go(struct api *a, const char *serial, bool force, struct http_reply *to)
{
	int64_t now = clock_wall_s();
	bool known = false, valid = false;
	struct sign_result res;
	struct err e = { 0 };
	size_t others = 0;
	int r = sign_operators(&a->sign, &res, &e);

	if (r < 0) {
		reply_err(to, r, &e);
		return false;
	}
	for (size_t i = 0; i < res.n_operators; i++) {
		const struct sign_operator *o = &res.operators[i];
		bool good = !o->revoked && o->not_after > now;

		if (strcmp(o->serial, serial) != 0) {
			others += good;
		} else {
			known = true;
			valid = good;
		}
	}
	sign_result_done(&res);
	if (!known)
		reply_problem(to, PROBLEM_NOT_FOUND,
			      "no operator's credential has the serial number '%s'; "
			      "'comosix operator list' lists them",
			      serial);
	else if (valid && !others && !force)
		reply_problem(
			to, PROBLEM_CONFLICT,
			"it is the last valid one, without it nobody could steer the cluster; "
			"first make another with 'comosix-headd operator' on the head (or "
			"say --force, and make another later)");
	else
		return true;
	return false;
}

/* the transaction keeps two operators from taking each other's credential, which leaves none */
static int revoke(struct api *a, const struct http_request *q, bool force, struct sign_result *ret,
		  struct http_reply *to)
{
	struct err e = { 0 };
	int r;

	if (!api_begin(a, to))
		return -EIO;
	if (!may_go(a, q->word, force, to)) {
		store_rollback(a->store);
		return -EPERM;
	}
	/* as for nodes: the signer first, and the same request again finishes what failed */
	r = sign_revoke_operator(&a->sign, q->word, ret, &e);
	if (!r) {
		r = operators_fetch(&a->operators, &a->sign, &e);
		if (!r)
			r = api_event(a, "operator.revoked", q->word, api_by(q), "was revoked", &e);
		if (r < 0)
			sign_result_done(ret);
	}
	if (r < 0) {
		store_rollback(a->store);
		reply_err(to, r, &e);
		return r;
	}
	if (api_commit(a, to))
		return 0;
	sign_result_done(ret);
	return -EIO;
}

void api_operator_revoke(struct api *a, const struct http_request *q, struct http_reply *to)
{
	struct sign_result res;
	json_error_t je;
	int force = 0;
	bool told;

	if (q->body &&
	    json_unpack_ex((json_t *)q->body, &je, JSON_STRICT, "{s?b}", "force", &force) < 0) {
		reply_problem(to, PROBLEM_BAD_VALUE, "%s", je.text);
		return;
	}
	if (revoke(a, q, force != 0, &res, to) < 0)
		return;
	told = api_spread(a, &res);
	(void)snprintf(to->log, sizeof(to->log), "revoked the credential %s", q->word);
	reply_json(to, 200,
		   json_pack("{s:s, s:I, s:b}", "serial", q->word, "epoch", (json_int_t)res.epoch,
			     "spreading", (int)told));
	sign_result_done(&res);
}
