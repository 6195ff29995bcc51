/* SPDX-License-Identifier: GPL-2.0-or-later */
/* signer.c - the process that holds the authority's keys */
#include "head/signer.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>

#include "head/channel.h"
#include "head/credentials.h"
#include "head/name.h"
#include "log/log.h"
#include "os/clock.h"
#include "os/file.h"
#include "wire/message.h"

#define REVOKED_FILE	 "revoked"
#define REVOKED_FILE_MAX (CHANNEL_MAX - 4096)
#define HTTPS_NAMES_MAX	 (CLUSTER_NAMES_MAX + 3)

/*
 * Certificates of one node: a day's life and a few failures need a handful. Who asks more often
 * runs dry alone, before anything is taken from the bucket that all share. Numbers are given out
 * in order, so two nodes meet in a slot only when a table of numbers lies between them; the later
 * one then takes it over.
 */
#define NODE_BURST    20
#define NODE_PER_HOUR 30
#define NODE_SLOTS    131072

struct bucket {
	double left;
	int64_t filled_at;
};

struct node_slot {
	uint32_t id; /* 0: nobody has asked */
	struct bucket bucket;
};

struct revoked {
	uint32_t id;
	char name[NAME_MAX_LEN + 1];
	int64_t until;
};

struct revoked_operator {
	char serial[CA_SERIAL_TEXT];
	int64_t until;
};

/* who is on the list */
struct revocations {
	struct revoked *nodes; /* owned, n_nodes of SIGNER_REVOKED_MAX */
	size_t n_nodes;
	struct revoked_operator *operators; /* owned, n_operators of CREDENTIALS_MAX */
	size_t n_operators;
};

struct signer {
	struct ca *ca; /* owned */
	const struct cluster *cluster;
	char dir[PATH_MAX];
	struct revocations revoked;
	uint64_t epoch;
	struct buf statement;	 /* the newest list, signed; empty before the first revocation */
	struct bucket *buckets;	 /* owned, one per verb */
	struct node_slot *slots; /* owned, NODE_SLOTS; touched where a node has asked */
};

typedef int verb_fn(struct signer *s, const Cmx__SignRequest *q, int64_t now,
		    struct signer_answer *a);

/* --- certificates --- */

static int node_permitted(const struct signer *s, const Cmx__SignRequest *q, struct err *e)
{
	bool is_head = q->id == HEAD_NODE_ID && !strcmp(q->name, HEAD_NODE_NAME);

	if (is_head && strcmp(q->role, "head") != 0)
		return err_set(e, -EPERM, "node %d is the head and nothing else", HEAD_NODE_ID);
	if (!is_head && strcmp(q->role, "server") != 0 && strcmp(q->role, "desktop") != 0)
		return err_set(e, -EPERM, "a node's role is server or desktop");
	if (!is_head && (q->id <= HEAD_NODE_ID || !name_ok(q->name) || name_reserved(q->name)))
		return err_set(e, -EPERM, "no node may have this name or number");
	for (size_t i = 0; i < s->cluster->n_dns; i++)
		if (!strcmp(q->name, s->cluster->dns[i]))
			return err_set(e, -EPERM, "'%s' is a name of the head", q->name);
	for (size_t i = 0; i < s->revoked.n_nodes; i++)
		if (s->revoked.nodes[i].id == q->id)
			return err_set(e, -EPERM, "node %u is revoked", q->id);
	return 0;
}

static int issue(struct signer *s, const struct ca_subject *subject, const Cmx__SignRequest *q,
		 struct signer_answer *a)
{
	int r = ca_issue(s->ca, subject, q->csr.data, q->csr.len, &a->certificate, &a->issued,
			 &a->err);

	if (r < 0)
		return r;
	a->reply.certificate.data = (uint8_t *)buf_bytes(&a->certificate);
	a->reply.certificate.len = a->certificate.len;
	a->reply.serial = a->issued.serial;
	a->reply.key_fingerprint = a->issued.key_fingerprint;
	a->reply.not_after = a->issued.not_after;
	log_info("signed %s until %" PRId64 ", serial %s",
		 subject->uri ? subject->uri : "the HTTPS certificate", subject->not_after,
		 a->issued.serial);
	return 0;
}

static int sign_identity(struct signer *s, const Cmx__SignRequest *q, const char *role,
			 int64_t life_s, int64_t now, struct signer_answer *a)
{
	char uri[IDENTITY_URI_MAX];
	const char *const dns[] = { q->name };
	struct ca_subject subject = {
		.common_name = q->name,
		.uri = uri,
		.dns = dns,
		.n_dns = 1,
		.client = true,
		.server = q->id != 0, /* an operator serves nobody */
		.not_before = now - SIGNER_BACK_S,
		.not_after = now + life_s,
	};

	(void)snprintf(uri, sizeof(uri), "comosix://%s/%s/%u/%s", s->cluster->id, role, q->id,
		       q->name); /* every part was checked for its length */
	return issue(s, &subject, q, a);
}

static int sign_node(struct signer *s, const Cmx__SignRequest *q, int64_t now,
		     struct signer_answer *a)
{
	int r = node_permitted(s, q, &a->err);

	return r < 0 ? r : sign_identity(s, q, q->role, SIGNER_NODE_LIFE_S, now, a);
}

static int sign_operator(struct signer *s, const Cmx__SignRequest *q, int64_t now,
			 struct signer_answer *a)
{
	Cmx__OperatorCredential row = CMX__OPERATOR_CREDENTIAL__INIT;
	int r;

	if (q->id || !name_ok(q->name) || name_reserved(q->name))
		return err_set(
			&a->err, -EPERM,
			"'%s' is not a name for an operator; use small letters, digits and -",
			q->name);
	r = sign_identity(s, q, "operator", SIGNER_OPERATOR_LIFE_S, now, a);
	if (r < 0)
		return r;
	row.serial = a->issued.serial;
	row.name = q->name;
	row.issued = now;
	row.not_after = a->issued.not_after;
	r = credentials_add(s->dir, &row, now, &a->err);
	if (r < 0) { /* what could not be revoked is not given out */
		buf_reset(&a->certificate);
		a->reply = (Cmx__SignReply)CMX__SIGN_REPLY__INIT;
	}
	return r;
}

static int sign_https(struct signer *s, const Cmx__SignRequest *q, int64_t now,
		      struct signer_answer *a)
{
	const char *dns[HTTPS_NAMES_MAX] = { HEAD_NODE_NAME, "localhost" };
	const char *const addresses[] = { s->cluster->address, "127.0.0.1", "::1" };
	struct ca_subject subject = {
		.common_name = "CoMosix head",
		.dns = dns,
		.n_dns = 2,
		.addresses = addresses,
		.n_addresses = ARRAY_LEN(addresses),
		.server = true,
		.not_before = now - SIGNER_BACK_S,
		.not_after = now + SIGNER_HTTPS_LIFE_S,
	};

	for (size_t i = 0; i < s->cluster->n_dns; i++)
		dns[subject.n_dns++] = s->cluster->dns[i];
	return issue(s, &subject, q, a);
}

/* --- revocation --- */

static void revocations_done(struct revocations *v)
{
	free(v->nodes);
	free(v->operators);
	*v = (struct revocations){ 0 };
}

/* those whose certificates have not ended, with room for one more of each kind */
static int copy_lasting(const struct revocations *from, int64_t now, struct revocations *to,
			struct err *e)
{
	*to = (struct revocations){
		.nodes = calloc(from->n_nodes + 1, sizeof(*to->nodes)),
		.operators = calloc(from->n_operators + 1, sizeof(*to->operators)),
	};
	if (!to->nodes || !to->operators) {
		revocations_done(to);
		return err_set(e, -ENOMEM, "out of memory");
	}
	for (size_t i = 0; i < from->n_nodes; i++)
		if (from->nodes[i].until > now)
			to->nodes[to->n_nodes++] = from->nodes[i];
	for (size_t i = 0; i < from->n_operators; i++)
		if (from->operators[i].until > now)
			to->operators[to->n_operators++] = from->operators[i];
	return 0;
}

/* the signed form of a list whose rows are in a message already */
static int sign_body(struct signer *s, const Cmx__RevocationList *body, struct buf *to,
		     struct err *e)
{
	Cmx__Statement statement = CMX__STATEMENT__INIT;
	uint8_t signature[CA_SIGNATURE_BYTES];
	struct buf b;
	int r;

	buf_init(&b, REVOKED_FILE_MAX);
	r = message_pack(&b, body);
	if (!r)
		r = ca_sign_statement(s->ca, buf_bytes(&b), b.len, signature, e);
	if (!r) {
		statement.body.data = (uint8_t *)buf_bytes(&b);
		statement.body.len = b.len;
		statement.signature.data = signature;
		statement.signature.len = sizeof(signature);
		r = message_pack(to, &statement);
	}
	buf_done(&b);
	return r < 0 ? err_set(e, r, "sign the revocation list: %s", strerror(-r)) : 0;
}

static int sign_list(struct signer *s, const struct revocations *v, uint64_t epoch, int64_t now,
		     struct buf *to, struct err *e)
{
	/* one more each: an empty list is no error of calloc() */
	AUTO_FREE Cmx__Revoked *nodes = calloc(v->n_nodes + 1, sizeof(*nodes));
	AUTO_FREE Cmx__Revoked **node_refs = calloc(v->n_nodes + 1, sizeof(*node_refs));
	AUTO_FREE Cmx__RevokedOperator *ops = calloc(v->n_operators + 1, sizeof(*ops));
	AUTO_FREE Cmx__RevokedOperator **op_refs = calloc(v->n_operators + 1, sizeof(*op_refs));
	Cmx__RevocationList body = CMX__REVOCATION_LIST__INIT;

	if (!nodes || !node_refs || !ops || !op_refs)
		return err_set(e, -ENOMEM, "out of memory");
	for (size_t i = 0; i < v->n_nodes; i++) {
		cmx__revoked__init(&nodes[i]);
		nodes[i].id = v->nodes[i].id;
		nodes[i].name = (char *)v->nodes[i].name;
		nodes[i].until = v->nodes[i].until;
		node_refs[i] = &nodes[i];
	}
	for (size_t i = 0; i < v->n_operators; i++) {
		cmx__revoked_operator__init(&ops[i]);
		ops[i].serial = (char *)v->operators[i].serial;
		ops[i].until = v->operators[i].until;
		op_refs[i] = &ops[i];
	}
	body.cluster = (char *)s->cluster->id;
	body.epoch = epoch;
	body.time = now;
	body.n_entries = v->n_nodes;
	body.entries = node_refs;
	body.n_operators = v->n_operators;
	body.operators = op_refs;
	return sign_body(s, &body, to, e);
}

static void answer_statement(const struct signer *s, struct signer_answer *a)
{
	a->reply.statement.data = (uint8_t *)buf_bytes(&s->statement);
	a->reply.statement.len = s->statement.len;
	a->reply.epoch = s->epoch;
}

/* sign, save and answer with a new list; @next is consumed */
static int put_in_force(struct signer *s, struct revocations *next, int64_t now,
			struct signer_answer *a)
{
	char path[PATH_MAX];
	struct buf signed_list;
	int len, r;

	buf_init(&signed_list, REVOKED_FILE_MAX);
	r = sign_list(s, next, s->epoch + 1, now, &signed_list, &a->err);
	len = snprintf(path, sizeof(path), "%s/%s", s->dir, REVOKED_FILE);
	if (!r && (size_t)len >= sizeof(path))
		r = err_set(&a->err, -ENAMETOOLONG, "'%s' is too long", s->dir);
	/* on disk before anybody hears of it: a list that was given out must not be forgotten */
	if (!r)
		r = file_write_atomic(path, buf_bytes(&signed_list), signed_list.len, 0600,
				      &a->err);
	if (r < 0) {
		buf_done(&signed_list);
		revocations_done(next);
		return r;
	}
	buf_done(&s->statement);
	s->statement = signed_list;
	revocations_done(&s->revoked);
	s->revoked = *next;
	s->epoch++;
	answer_statement(s, a);
	return 0;
}

static int sign_revoke(struct signer *s, const Cmx__SignRequest *q, int64_t now,
		       struct signer_answer *a)
{
	struct revocations next;
	struct revoked *row;
	size_t n = 0;
	int r;

	if (q->id <= HEAD_NODE_ID || !name_ok(q->name))
		return err_set(&a->err, -EPERM, "the head cannot be revoked");
	r = copy_lasting(&s->revoked, now, &next, &a->err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < next.n_nodes; i++)
		if (next.nodes[i].id != q->id)
			next.nodes[n++] = next.nodes[i];
	if (n >= SIGNER_REVOKED_MAX) {
		revocations_done(&next);
		return err_set(&a->err, -ENOSPC,
			       "%d nodes were revoked within a day; wait until the first of "
			       "their certificates have ended",
			       SIGNER_REVOKED_MAX);
	}
	row = &next.nodes[n];
	next.n_nodes = n + 1;
	row->id = q->id;
	row->until = now + SIGNER_NODE_LIFE_S;
	(void)snprintf(row->name, sizeof(row->name), "%s", q->name);
	r = put_in_force(s, &next, now, a);
	if (!r)
		log_info("revoked node %u '%s', list %" PRIu64 " has %zu", q->id, q->name, s->epoch,
			 s->revoked.n_nodes);
	return r;
}

static bool operator_revoked(const struct signer *s, const char *serial)
{
	for (size_t i = 0; i < s->revoked.n_operators; i++)
		if (!strcmp(s->revoked.operators[i].serial, serial))
			return true;
	return false;
}

static int give_operators(struct signer *s, const Cmx__SignRequest *q, int64_t now,
			  struct signer_answer *a)
{
	int r = credentials_load(s->dir, &a->operators, &a->err);

	(void)q;
	(void)now;
	if (r < 0)
		return r;
	for (size_t i = 0; i < a->operators->n_rows; i++)
		a->operators->rows[i]->revoked = operator_revoked(s, a->operators->rows[i]->serial);
	a->reply.operators = a->operators->rows;
	a->reply.n_operators = a->operators->n_rows;
	return 0;
}

/* only what the signer made: the list cannot be filled with serial numbers of nothing */
static int sign_revoke_operator(struct signer *s, const Cmx__SignRequest *q, int64_t now,
				struct signer_answer *a)
{
	AUTO_MESSAGE Cmx__OperatorList *list = NULL;
	const Cmx__OperatorCredential *found = NULL;
	struct revoked_operator *row;
	struct revocations next;
	int r = credentials_load(s->dir, &list, &a->err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < list->n_rows; i++)
		if (!strcmp(list->rows[i]->serial, q->serial))
			found = list->rows[i];
	if (!found)
		return err_set(&a->err, -ENOENT, "no operator's credential has this serial number");
	if (operator_revoked(s, q->serial)) {
		answer_statement(s, a);
		return 0;
	}
	r = copy_lasting(&s->revoked, now, &next, &a->err);
	if (r < 0)
		return r;
	if (next.n_operators >= CREDENTIALS_MAX) {
		revocations_done(&next);
		return err_set(&a->err, -ENOSPC, "%d operators' credentials are revoked already",
			       CREDENTIALS_MAX);
	}
	assert(next.operators); /* clang-tidy does not see that err_set() fails */
	row = &next.operators[next.n_operators++];
	(void)snprintf(row->serial, sizeof(row->serial), "%s", found->serial);
	row->until = found->not_after;
	r = put_in_force(s, &next, now, a);
	if (!r)
		log_info("revoked the credential %s of operator '%s', list %" PRIu64, found->serial,
			 found->name, s->epoch);
	return r;
}

static int give_statement(struct signer *s, const Cmx__SignRequest *q, int64_t now,
			  struct signer_answer *a)
{
	(void)q;
	(void)now;
	answer_statement(s, a);
	return 0;
}

/* --- the table of verbs --- */

static const struct verb {
	Cmx__SignVerb verb;
	const char *name;
	unsigned int from;   /* channels that may ask, SIGNER_FROM_* */
	int burst, per_hour; /* 0: no limit, it makes nothing and costs what a refusal costs */
	verb_fn *run;
} verbs[] = {
	{ CMX__SIGN_VERB__SIGN_NODE, "sign-node", SIGNER_FROM_WEB, 2000, 20000, sign_node },
	{ CMX__SIGN_VERB__SIGN_HTTPS, "sign-https", SIGNER_FROM_WEB, 60, 60, sign_https },
	{ CMX__SIGN_VERB__SIGN_OPERATOR, "sign-operator", SIGNER_FROM_HELPER, 10, 10,
	  sign_operator },
	{ CMX__SIGN_VERB__SIGN_REVOKE, "revoke", SIGNER_FROM_WEB, 500, 5000, sign_revoke },
	{ CMX__SIGN_VERB__SIGN_STATEMENT, "statement", SIGNER_FROM_WEB | SIGNER_FROM_HELPER, 0, 0,
	  give_statement },
	{ CMX__SIGN_VERB__SIGN_OPERATORS, "operators", SIGNER_FROM_WEB, 0, 0, give_operators },
	{ CMX__SIGN_VERB__SIGN_REVOKE_OPERATOR, "revoke-operator", SIGNER_FROM_WEB, 500, 500,
	  sign_revoke_operator },
};

static const struct verb *find_verb(Cmx__SignVerb v)
{
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		if (verbs[i].verb == v)
			return &verbs[i];
	return NULL;
}

/* a bucket of `burst` requests that fills up by per_hour */
static bool take_one(struct bucket *b, int burst, int per_hour, int64_t now)
{
	if (now > b->filled_at) {
		b->left += (double)(now - b->filled_at) * per_hour / 3600;
		b->filled_at = now;
	}
	if (b->left > burst)
		b->left = burst;
	if (b->left < 1)
		return false;
	b->left -= 1;
	return true;
}

static bool node_within_rate(struct signer *s, uint32_t id, int64_t now)
{
	struct node_slot *slot = &s->slots[id % NODE_SLOTS];

	if (slot->id != id)
		*slot = (struct node_slot){ .id = id, .bucket = { NODE_BURST, now } };
	return take_one(&slot->bucket, NODE_BURST, NODE_PER_HOUR, now);
}

static int check_rate(struct signer *s, const struct verb *v, const Cmx__SignRequest *q,
		      int64_t now, struct err *e)
{
	if (v->verb == CMX__SIGN_VERB__SIGN_NODE && !node_within_rate(s, q->id, now))
		return err_set(e, -EAGAIN,
			       "node %u '%s' has had %d certificates in a short time; it gets one "
			       "in %d s now",
			       q->id, q->name, NODE_BURST, 3600 / NODE_PER_HOUR);
	if (v->burst && !take_one(&s->buckets[v - verbs], v->burst, v->per_hour, now))
		return err_set(e, -EAGAIN, "too many requests for %s; try again later", v->name);
	return 0;
}

static int decide(struct signer *s, enum signer_from from, const Cmx__SignRequest *q, int64_t now,
		  struct signer_answer *a)
{
	const struct verb *v = find_verb(q->verb);
	int r;

	if (!v)
		return err_set(&a->err, -ENOSYS, "the signer has no verb %d", (int)q->verb);
	if (!(v->from & from))
		return err_set(&a->err, -EPERM, "this process may not ask for %s", v->name);
	if (strlen(q->name) > NAME_MAX_LEN || q->csr.len > CA_REQUEST_MAX)
		return err_set(&a->err, -EINVAL, "a name or a signing request is too long");
	r = check_rate(s, v, q, now, &a->err);
	return r < 0 ? r : v->run(s, q, now, a);
}

void signer_answer(struct signer *s, enum signer_from from, const void *p, size_t len, int64_t now,
		   struct signer_answer *ret)
{
	int r;

	*ret = (struct signer_answer){ .reply = CMX__SIGN_REPLY__INIT };
	buf_init(&ret->certificate, CA_CERTIFICATE_MAX);

	AUTO_MESSAGE Cmx__SignRequest *q = message_get(&cmx__sign_request__descriptor, p, len,
						       &ret->err);

	r = q ? decide(s, from, q, now, ret) : -EPROTO;
	if (q)
		ret->reply.number = q->number;
	if (r < 0) {
		ret->reply.error = (uint32_t)-r;
		ret->reply.text = ret->err.text;
		log_warn("refused a request of the %s process: %s",
			 from == SIGNER_FROM_WEB ? "web" : "helper", ret->err.text);
	}
}

void signer_answer_done(struct signer_answer *a)
{
	buf_done(&a->certificate);
	message_free(&a->operators);
}

/* --- life --- */

static int take_list(struct revocations *to, const Cmx__RevocationList *list, struct err *e)
{
	to->nodes = calloc(list->n_entries + 1, sizeof(*to->nodes));
	to->operators = calloc(list->n_operators + 1, sizeof(*to->operators));
	if (!to->nodes || !to->operators) {
		revocations_done(to);
		return err_set(e, -ENOMEM, "out of memory");
	}
	for (size_t i = 0; i < list->n_entries; i++) {
		struct revoked *row = &to->nodes[to->n_nodes++];

		row->id = list->entries[i]->id;
		row->until = list->entries[i]->until;
		(void)snprintf(row->name, sizeof(row->name), "%s", list->entries[i]->name);
	}
	for (size_t i = 0; i < list->n_operators; i++) {
		struct revoked_operator *row = &to->operators[to->n_operators++];

		row->until = list->operators[i]->until;
		(void)snprintf(row->serial, sizeof(row->serial), "%s", list->operators[i]->serial);
	}
	return 0;
}

static int load_revoked(struct signer *s, struct err *e)
{
	char path[PATH_MAX];
	int n = snprintf(path, sizeof(path), "%s/%s", s->dir, REVOKED_FILE);
	int r;

	if ((size_t)n >= sizeof(path))
		return err_set(e, -ENAMETOOLONG, "'%s' is too long", s->dir);
	r = file_read(path, &s->statement, e);
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;

	AUTO_MESSAGE Cmx__Statement *st = message_get(
		&cmx__statement__descriptor, buf_bytes(&s->statement), s->statement.len, e);
	AUTO_MESSAGE Cmx__RevocationList *list = st ? message_get(&cmx__revocation_list__descriptor,
								  st->body.data, st->body.len, e)
						    : NULL;

	if (!list || list->n_entries > SIGNER_REVOKED_MAX || list->n_operators > CREDENTIALS_MAX)
		return err_set(e, -EINVAL, "'%s' is damaged; restore it from a backup", path);
	r = take_list(&s->revoked, list, e);
	if (!r)
		s->epoch = list->epoch;
	return r;
}

int signer_open(const char *dir, const struct cluster *c, struct signer **ret, struct err *e)
{
	struct signer *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return err_set(e, -ENOMEM, "out of memory");
	s->cluster = c;
	(void)snprintf(s->dir, sizeof(s->dir), "%s", dir); /* a cut name is not found below */
	buf_init(&s->statement, REVOKED_FILE_MAX);
	s->buckets = calloc(ARRAY_LEN(verbs), sizeof(*s->buckets));
	s->slots = calloc(NODE_SLOTS, sizeof(*s->slots));
	if (!s->buckets || !s->slots) {
		r = err_set(e, -ENOMEM, "out of memory");
		goto fail;
	}
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		s->buckets[i].left = verbs[i].burst;
	r = ca_open(dir, &s->ca, e);
	if (r >= 0)
		r = load_revoked(s, e);
	if (r < 0)
		goto fail;
	*ret = s;
	return 0;
fail:
	signer_close(s);
	return r;
}

void signer_close(struct signer *s)
{
	if (!s)
		return;
	ca_close(s->ca);
	revocations_done(&s->revoked);
	free(s->buckets);
	free(s->slots);
	buf_done(&s->statement);
	free(s);
}

/* 1: answered, 0: the other side is gone */
static int serve_one(struct signer *s, enum signer_from from, int fd, struct buf *in, struct err *e)
{
	struct signer_answer a;
	int r = channel_recv(fd, -1, in, NULL, e);

	if (r == -EMSGSIZE)
		return 1; /* its sender runs into its own timeout */
	if (r <= 0)
		return r;
	signer_answer(s, from, buf_bytes(in), in->len, clock_wall_s(), &a);
	r = channel_send(fd, &a.reply, -1, e);
	signer_answer_done(&a);
	return r < 0 ? r : 1;
}

int signer_serve(struct signer *s, int web_fd, int helper_fd, struct err *e)
{
	struct pollfd p[] = { { .fd = web_fd, .events = POLLIN },
			      { .fd = helper_fd, .events = POLLIN } };
	static const enum signer_from from[] = { SIGNER_FROM_WEB, SIGNER_FROM_HELPER };
	struct buf in;
	int r = 1;

	static_assert(ARRAY_LEN(p) == ARRAY_LEN(from), "a sender for each channel");
	buf_init(&in, CHANNEL_MAX);
	while (r > 0) {
		if (poll(p, ARRAY_LEN(p), -1) < 0) {
			if (errno == EINTR)
				continue;
			r = err_set(e, -errno, "poll: %s", strerror(errno));
			break;
		}
		for (size_t i = 0; r > 0 && i < ARRAY_LEN(p); i++)
			if (p[i].revents)
				r = serve_one(s, from[i], p[i].fd, &in, e);
	}
	buf_done(&in);
	return r;
}
