/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * api_join.c - /join, /joins, /renew: how a machine becomes a node and stays one
 *
 * Theory of operation. A machine is its key. It sends a signing request, which proves that it has
 * the private half, and a name it would like:
 *
 *	key known, active	the same node again: same name, same number, new certificate; a join
 *				that was cut off after our commit is repeated like this, and a token
 *				is not used twice
 *	key known, revoked	refused
 *	with a token		the token counts one use, in the transaction that adds the node: of
 *				two machines with the last use one wins, and a failure uses nothing
 *	without			remembered for an hour as pending; the machine asks again under a
 *				number only it knows, until the operator has decided
 *
 * Renewal is the first row: the key is known, so a certificate for that key can do no harm in other
 * hands, and a desktop that was off for a month needs nobody to come back. Whichever way it comes,
 * a node gets one certificate in CERTIFICATE_EVERY_S: a machine that asks without end keeps neither
 * the signer nor the disk from the others.
 */
#include <errno.h>
#include <gnutls/gnutls.h>

#include "base/parse.h"
#include "head/api.h"
#include "head/name.h"
#include "head/token.h"
#include "os/clock.h"
#include "os/rand.h"

#define NAME_TRIES	    4096
#define CERTIFICATE_EVERY_S 10

/* what a machine says about itself */
struct machine {
	const char *csr, *token; /* inside the request's body */
	char name[NAME_MAX_LEN + 1];
	char key_fingerprint[CA_FINGERPRINT_TEXT];
	char source[72]; /* where it asks from, without a port */
	char address[72];
	bool relayed, placed; /* placed: it said itself where it is */
	struct sock_addr from;
};

static void source_text(const struct sock_addr *from, char to[72])
{
	char text[SOCK_ADDR_TEXT];
	const char *host = text;

	sock_addr_format(from, text);
	*strrchr(text, ':') = '\0';
	if (host[0] == '[') {
		host++;
		text[strlen(text) - 1] = '\0';
	}
	(void)snprintf(to, 72, "%s", host);
}

static bool set_address(struct machine *m, const char *address, struct http_reply *to)
{
	bool v6 = strchr(m->source, ':') != NULL;
	struct sock_addr a;

	if (m->relayed)
		return true; /* nobody can connect to it, whatever it says */
	if (!address) {
		(void)snprintf(m->address, sizeof(m->address), "%s%s%s:%d", v6 ? "[" : "",
			       m->source, v6 ? "]" : "", NODE_PORT);
		return true;
	}
	if (sock_addr_parse(address, &a) < 0 || strlen(address) >= sizeof(m->address)) {
		reply_problem(to, PROBLEM_BAD_VALUE, "address must be ADDRESS:PORT");
		return false;
	}
	(void)snprintf(m->address, sizeof(m->address), "%s", address);
	return true;
}

/* else has answered */
static bool read_machine(const struct http_request *q, bool named, struct machine *m,
			 struct http_reply *to)
{
	const char *host = NULL, *address = NULL;
	json_error_t je;
	struct err e = { 0 };
	int relayed = 0;

	*m = (struct machine){ .from = q->from };
	source_text(&q->from, m->source);
	if (json_unpack_ex((json_t *)q->body, &je, JSON_STRICT, "{s:s, s?s, s?s, s?s, s?b}", "csr",
			   &m->csr, "name", &host, "token", &m->token, "address", &address,
			   "relayed", &relayed) < 0) {
		reply_problem(to, PROBLEM_BAD_VALUE, "%s", je.text);
		return false;
	}
	m->relayed = relayed != 0;
	m->placed = m->relayed || address;
	if (ca_check_request(m->csr, strlen(m->csr), m->key_fingerprint, &e) < 0) {
		reply_problem(to, PROBLEM_BAD_VALUE, "%s", e.text);
		return false;
	}
	if (named && name_from_host(host ? host : "", m->name, &e) < 0) {
		reply_problem(to, PROBLEM_BAD_VALUE, "%s", e.text);
		return false;
	}
	return set_address(m, address, to);
}

/* --- the answer to a machine that is in --- */

static json_t *peers_json(struct api *a, struct err *e)
{
	AUTO_FREE struct store_node *list = NULL;
	json_t *rows;
	size_t n;

	if (store_nodes(a->store, &list, &n, e) < 0)
		return NULL;
	rows = json_array();
	for (size_t i = 0; i < n; i++)
		if (!strcmp(list[i].state, "active") && strcmp(list[i].role, "desktop") != 0)
			(void)json_array_append_new(
				rows, json_pack("{s:s, s:I, s:s, s:s}", "name", list[i].name, "id",
						(json_int_t)list[i].id, "role", list[i].role,
						"address", list[i].address)); /* NULL: a row less */
	return rows;
}

static json_t *statement_json(struct api *a, struct err *e)
{
	gnutls_datum_t raw, text = { 0 };
	struct sign_result res;
	json_t *j;

	if (sign_statement(&a->sign, &res, e) < 0)
		return NULL;
	raw = (gnutls_datum_t){ (uint8_t *)buf_bytes(&res.statement),
				(unsigned int)res.statement.len };
	if (raw.size && gnutls_base64_encode2(&raw, &text) < 0)
		j = NULL;
	else
		j = json_stringn(text.data ? (char *)text.data : "", text.size);
	gnutls_free(text.data);
	sign_result_done(&res);
	return j;
}

/* seconds until the node may have another certificate; a clock that was set back is no reason */
static uint32_t certificate_wait_s(const struct store_node *n, int64_t now)
{
	bool early = now >= n->renewed && now < n->renewed + CERTIFICATE_EVERY_S;

	return early ? (uint32_t)(n->renewed + CERTIFICATE_EVERY_S - now) : 0;
}

/* inside a transaction: sign for the node, remember it, make the answer. NULL: *r says why */
static json_t *give_certificate(struct api *a, struct store_node *n, const char *csr, int *r,
				struct err *e)
{
	struct sign_result res;
	json_t *peers, *statement, *j = NULL;
	int64_t now = clock_wall_s();
	uint32_t wait_s = certificate_wait_s(n, now);

	if (wait_s) {
		*r = err_set(e, -EAGAIN, "%s got a certificate just now; ask again in %u s",
			     n->name, wait_s);
		return NULL;
	}
	*r = sign_node(&a->sign, n->name, n->role, n->id, csr, &res, e);
	if (*r < 0)
		return NULL;
	n->renewed = now;
	n->certificate_end = res.issued.not_after;
	*r = store_node_update(a->store, n, e);
	if (!*r)
		*r = store_certificate_add(a->store, res.issued.serial, n->id, now,
					   res.issued.not_after, e);
	if (*r < 0) {
		sign_result_done(&res);
		return NULL;
	}
	peers = peers_json(a, e);
	statement = statement_json(a, e);
	j = json_pack("{s:s, s:I, s:s, s:s, s:s, s:s, s:s%, s:o, s:s, s:s, s:s, s:o, s:o}", "state",
		      "joined", "id", (json_int_t)n->id, "name", n->name, "role", n->role,
		      "cluster", a->cluster->id, "cluster_name", a->cluster->name, "certificate",
		      (const char *)buf_bytes(&res.certificate), res.certificate.len,
		      "certificate_end", reply_time(n->certificate_end), "ca", a->ca_pem,
		      "statement_key", a->statement_pub, "head_url", a->url, "peers", peers,
		      "revocations", statement);
	sign_result_done(&res);
	if (!j)
		*r = err_set(e, -ENOMEM, "out of memory, or the signer does not answer");
	return j;
}

/* ends the transaction and answers with a certificate for a known node */
static void again(struct api *a, struct store_node *n, const struct machine *m, unsigned int status,
		  struct http_reply *to)
{
	json_t *j = NULL;
	struct err e = { 0 };
	int r = 0;

	if (!strcmp(n->state, "revoked")) {
		store_rollback(a->store);
		reply_problem(to, PROBLEM_NODE_REVOKED,
			      "the node %s was expelled; the operator can forget it with "
			      "'comosix node remove %s', after that it can join with a new token",
			      n->name, n->name);
		return;
	}
	if (n->id != HEAD_NODE_ID && m->placed) {
		(void)snprintf(n->address, sizeof(n->address), "%s", m->address);
		n->relayed = m->relayed;
	}
	j = give_certificate(a, n, m->csr, &r, &e);
	api_finish(a, j, status, r, &e, to);
}

/* --- a new node --- */

static bool name_taken(struct api *a, const char *name, int *r, struct err *e)
{
	struct store_node n;

	if (name_reserved(name))
		return true;
	for (size_t i = 0; i < a->cluster->n_dns; i++)
		if (!strcmp(name, a->cluster->dns[i]))
			return true;
	*r = store_node_by_name(a->store, name, &n, e);
	if (*r == -ENOENT) {
		*r = 0;
		return false;
	}
	return true;
}

/* inside a transaction: add a node under the first free form of the name */
static int admit(struct api *a, const char *name, const char *role, const char *key_fingerprint,
		 const char *address, bool relayed, const char *by, struct store_node *ret,
		 struct err *e)
{
	struct store_node n = { .relayed = relayed, .joined = clock_wall_s() };
	char what[STORE_TEXT_MAX];
	bool taken = true;
	int r = 0;

	for (unsigned int i = 1; !r && taken && i <= NAME_TRIES; i++) {
		name_numbered(name, i, n.name);
		taken = name_taken(a, n.name, &r, e);
	}
	if (!r && taken)
		return err_set(e, -EEXIST, "%d machines are called '%s'; give another --name",
			       NAME_TRIES, name);
	if (r < 0)
		return r;
	(void)snprintf(n.role, sizeof(n.role), "%s", role);
	(void)snprintf(n.state, sizeof(n.state), "active");
	(void)snprintf(n.key_fingerprint, sizeof(n.key_fingerprint), "%s", key_fingerprint);
	(void)snprintf(n.address, sizeof(n.address), "%s", address);
	r = store_node_add(a->store, &n, e);
	(void)snprintf(what, sizeof(what), "joined as %s", role);
	if (!r)
		r = api_event(a, "node.joined", n.name, by, what, e);
	if (!r)
		*ret = n;
	return r;
}

/* who shows secrets that nobody gave him has to wait between his guesses */
static void count_guess(struct api *a, const struct machine *m)
{
	pthread_mutex_lock(&a->rate_lock);
	rate_count(&a->rate, &m->from, clock_boot_ms());
	pthread_mutex_unlock(&a->rate_lock);
}

/* inside a transaction: why the token does not open the door; true when it does */
static bool token_opens(struct api *a, const struct machine *m, struct store_token *t, int64_t now,
			struct http_reply *to)
{
	char hash[TOKEN_HASH_TEXT];
	struct token token;
	struct err e = { 0 };
	int r = token_parse(m->token, &token, &e);

	if (r < 0) {
		reply_problem(to, PROBLEM_TOKEN_UNKNOWN, "%s", e.text);
		return false;
	}
	if (strncmp(token.cluster, a->cluster->id, TOKEN_CLUSTER_LEN) != 0) {
		reply_problem(to, PROBLEM_TOKEN_UNKNOWN,
			      "the token is of another cluster than '%s'", a->cluster->name);
		return false;
	}
	r = token_hash(token.secret, hash);
	if (!r)
		r = store_token_by_hash(a->store, hash, t, &e);
	if (r == -ENOENT) {
		count_guess(a, m);
		reply_problem(to, PROBLEM_TOKEN_UNKNOWN,
			      "make a new one on the head with 'comosix token create'");
	} else if (r < 0) {
		reply_err(to, r, &e);
	} else if (t->revoked) {
		reply_problem(to, PROBLEM_TOKEN_REVOKED, "ask the operator for a new one");
	} else if (t->expires <= now) {
		reply_problem(to, PROBLEM_TOKEN_EXPIRED,
			      "ask the operator for a new one; 'comosix token create --expires 1d' "
			      "makes one that lasts longer");
	} else if (t->used >= t->count) {
		reply_problem(to, PROBLEM_TOKEN_USED,
			      "it was good for %u; ask the operator for a new one "
			      "('comosix token create --count N')",
			      t->count);
	} else if (t->network[0] && !network_holds(t->network, &m->from)) {
		reply_problem(to, PROBLEM_TOKEN_NETWORK,
			      "it is good for machines in %s, and this one comes from %s",
			      t->network, m->source);
	} else {
		return true;
	}
	return false;
}

/* ends the transaction and answers */
static void join_by_token(struct api *a, const struct machine *m, struct http_reply *to)
{
	int64_t now = clock_wall_s();
	struct store_token t;
	struct store_node n;
	json_t *j = NULL;
	char by[32];
	struct err e = { 0 };
	int r;

	if (!token_opens(a, m, &t, now, to)) {
		store_rollback(a->store);
		return;
	}
	(void)snprintf(by, sizeof(by), "token %u", t.id);
	r = store_token_use(a->store, t.id, now, &e);
	if (!r)
		r = admit(a, m->name, t.role, m->key_fingerprint, m->address, m->relayed, by, &n,
			  &e);
	if (!r)
		j = give_certificate(a, &n, m->csr, &r, &e);
	if (!r)
		(void)snprintf(to->log, sizeof(to->log), "joined %s (%s) by %s", n.name, n.role,
			       by);
	api_finish(a, j, 201, r, &e, to);
}

/* --- without a token --- */

static json_t *pending_json(const struct store_join *j)
{
	return json_pack("{s:s, s:s, s:s, s:s}", "state", "pending", "join", j->id, "name", j->name,
			 "key_fingerprint", j->key_fingerprint);
}

/* inside a transaction: a pending row for a machine that has none yet */
static int add_pending(struct api *a, const struct machine *m, struct store_join *ret,
		       struct err *e)
{
	struct store_join j = { .relayed = m->relayed, .created = clock_wall_s() };
	struct store_join other;
	uint8_t random[16];
	uint32_t n;
	int r = store_joins_from(a->store, m->source, &n, e);

	if (!r && n >= API_JOINS_PER_SOURCE)
		r = err_set(e, -EDQUOT,
			    "%u machines from %s wait to be let in; the operator must approve or "
			    "refuse some ('comosix node list --pending'), or use a token",
			    n, m->source);
	if (r < 0)
		return r;
	rand_bytes(random, sizeof(random));
	hex_format(random, sizeof(random), j.id);
	for (unsigned int i = 1; i <= STORE_JOINS_MAX + 1; i++) {
		name_numbered(m->name, i, j.name);
		r = store_join_by_name(a->store, j.name, &other, e);
		if (r)
			break;
	}
	if (r != -ENOENT)
		return r ? r : err_set(e, -EEXIST, "too many machines of this name wait");
	(void)snprintf(j.source, sizeof(j.source), "%s", m->source);
	(void)snprintf(j.key_fingerprint, sizeof(j.key_fingerprint), "%s", m->key_fingerprint);
	(void)snprintf(j.address, sizeof(j.address), "%s", m->address);
	(void)snprintf(j.state, sizeof(j.state), "pending");
	(void)snprintf(j.csr, sizeof(j.csr), "%s", m->csr);
	r = store_join_add(a->store, &j, e);
	if (!r)
		r = api_event(a, "join.asked", j.name, j.source, "asks to be let in", e);
	if (!r)
		*ret = j;
	return r;
}

/* ends the transaction and answers */
static void join_by_asking(struct api *a, const struct machine *m, struct http_reply *to)
{
	struct store_join j;
	struct err e = { 0 };
	int r = store_joins_expire(a->store, clock_wall_s() - API_JOIN_LIFE_S, &e);

	if (!r)
		r = store_join_by_key(a->store, m->key_fingerprint, &j, &e);
	if (r == -ENOENT)
		r = add_pending(a, m, &j, &e);
	if (!r && !strcmp(j.state, "refused")) {
		store_rollback(a->store);
		reply_problem(to, PROBLEM_JOIN_REFUSED, "ask the operator why, or for a token");
		return;
	}
	api_finish(a, r < 0 ? NULL : pending_json(&j), 202, r, &e, to);
}

void api_join(struct api *a, const struct http_request *q, struct http_reply *to)
{
	struct store_node n;
	struct machine m;
	struct err e = { 0 };
	bool allowed;
	int r;

	if (!read_machine(q, true, &m, to))
		return;
	pthread_mutex_lock(&a->rate_lock);
	allowed = rate_left(&a->rate, &m.from, clock_boot_ms());
	pthread_mutex_unlock(&a->rate_lock);
	if (!allowed) {
		reply_problem(to, PROBLEM_TOO_MANY, "unknown tokens came from %s; wait a minute",
			      m.source);
		to->retry_s = 60;
		return;
	}
	if (!api_begin(a, to))
		return;
	r = store_node_by_key(a->store, m.key_fingerprint, &n, &e);
	if (!r) {
		again(a, &n, &m, 200, to);
	} else if (r != -ENOENT) {
		store_rollback(a->store);
		reply_err(to, r, &e);
	} else if (m.token) {
		join_by_token(a, &m, to);
	} else {
		join_by_asking(a, &m, to);
	}
}

void api_join_poll(struct api *a, const struct http_request *q, struct http_reply *to)
{
	struct store_node n = { 0 };
	struct store_join j;
	json_t *answer = NULL;
	struct err e = { 0 };
	int r;

	if (!api_begin(a, to))
		return;
	r = store_join_by_id(a->store, q->word, &j, &e);
	if (!api_found(a, r, &e, to,
		       "this request to join is not known, or was forgotten after an hour; "
		       "join again"))
		return;
	if (!strcmp(j.state, "refused")) {
		store_rollback(a->store);
		reply_problem(to, PROBLEM_JOIN_REFUSED, "ask the operator why, or for a token");
		return;
	}
	if (!strcmp(j.state, "pending")) {
		store_rollback(a->store);
		reply_json(to, 202, pending_json(&j));
		return;
	}
	r = store_node_by_id(a->store, j.node_id, &n, &e);
	if (!r && !strcmp(n.state, "revoked"))
		r = err_set(&e, -EPERM, "the node %s was expelled", n.name);
	if (!r)
		answer = give_certificate(a, &n, j.csr, &r, &e);
	api_finish(a, answer, 200, r, &e, to);
}

void api_renew(struct api *a, const struct http_request *q, struct http_reply *to)
{
	struct store_node n;
	struct machine m;
	struct err e = { 0 };
	int r;

	if (!read_machine(q, false, &m, to))
		return;
	if (!api_begin(a, to))
		return;
	r = store_node_by_key(a->store, m.key_fingerprint, &n, &e);
	if (api_found(a, r, &e, to, "no node has this key; join again with 'comosix join'"))
		again(a, &n, &m, 200, to);
}

/* --- the operator decides --- */

void api_joins(struct api *a, const struct http_request *q, struct http_reply *to)
{
	AUTO_FREE struct store_join *list = NULL;
	json_t *rows;
	struct err e = { 0 };
	size_t n;
	int r;

	(void)q;
	if (!api_begin(a, to))
		return;
	r = store_joins_expire(a->store, clock_wall_s() - API_JOIN_LIFE_S, &e);
	if (!r)
		r = store_joins(a->store, &list, &n, &e);
	if (r < 0)
		store_rollback(a->store);
	else
		r = store_commit(a->store, &e);
	if (r < 0) {
		reply_err(to, r, &e);
		return;
	}
	rows = json_array();
	for (size_t i = 0; i < n; i++)
		(void)json_array_append_new(
			rows,
			json_pack("{s:s, s:s, s:s, s:s, s:b, s:o}", "name", list[i].name, "source",
				  list[i].source, "key_fingerprint", list[i].key_fingerprint,
				  "address", list[i].address, "relayed", (int)list[i].relayed,
				  "asked", reply_time(list[i].created))); /* NULL: a row less */
	reply_json(to, 200, json_pack("{s:o}", "joins", rows));
}

/* begins a transaction and finds the pending join of the path; else has answered */
static bool begin_with_join(struct api *a, const struct http_request *q, struct store_join *ret,
			    struct http_reply *to)
{
	struct err e = { 0 };
	int r;

	if (!api_begin(a, to))
		return false;
	r = store_join_by_name(a->store, q->word, ret, &e);
	if (!r && strcmp(ret->state, "pending") != 0)
		r = -ENOENT;
	return api_found(a, r, &e, to,
			 "no machine called '%s' waits to be let in; see "
			 "'comosix node list --pending'",
			 q->word);
}

void api_node_approve(struct api *a, const struct http_request *q, struct http_reply *to)
{
	const char *role = "desktop", *fingerprint = NULL;
	json_error_t je;
	struct store_join j;
	struct store_node n;
	struct err e = { 0 };
	int r;

	if (q->body && json_unpack_ex((json_t *)q->body, &je, JSON_STRICT, "{s?s, s?s}", "role",
				      &role, "key_fingerprint", &fingerprint) < 0) {
		reply_problem(to, PROBLEM_BAD_VALUE, "%s", je.text);
		return;
	}
	if (strcmp(role, "desktop") != 0 && strcmp(role, "server") != 0) {
		reply_problem(to, PROBLEM_BAD_VALUE, "role must be desktop or server");
		return;
	}
	if (!begin_with_join(a, q, &j, to))
		return;
	if (fingerprint && strcmp(fingerprint, j.key_fingerprint) != 0) {
		store_rollback(a->store);
		reply_problem(to, PROBLEM_CONFLICT, "'%s' is another machine by now: its key is %s",
			      j.name, j.key_fingerprint);
		return;
	}
	r = admit(a, j.name, role, j.key_fingerprint, j.address, j.relayed, api_by(q), &n, &e);
	if (!r) {
		(void)snprintf(j.state, sizeof(j.state), "approved");
		(void)snprintf(j.role, sizeof(j.role), "%s", role);
		j.node_id = n.id;
		r = store_join_decide(a->store, &j, &e);
	}
	api_finish(a,
		   r < 0 ? NULL
			 : json_pack("{s:s, s:I, s:s, s:s}", "name", n.name, "id", (json_int_t)n.id,
				     "role", role, "key_fingerprint", n.key_fingerprint),
		   200, r, &e, to);
}

void api_node_refuse(struct api *a, const struct http_request *q, struct http_reply *to)
{
	struct store_join j;
	struct err e = { 0 };
	int r;

	if (!begin_with_join(a, q, &j, to))
		return;
	(void)snprintf(j.state, sizeof(j.state), "refused");
	r = store_join_decide(a->store, &j, &e);
	if (!r)
		r = api_event(a, "join.refused", j.name, api_by(q), "was not let in", &e);
	api_finish(a, NULL, 204, r, &e, to);
}
