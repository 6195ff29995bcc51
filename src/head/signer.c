/* SPDX-License-Identifier: GPL-2.0-or-later */
/* signer.c - the process that holds the authority's keys */
#include "head/signer.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>

#include "head/channel.h"
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

struct signer {
	struct ca *ca; /* owned */
	const struct cluster *cluster;
	char dir[PATH_MAX];
	struct revoked *revoked; /* owned, n_revoked of SIGNER_REVOKED_MAX */
	size_t n_revoked;
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
	for (size_t i = 0; i < s->n_revoked; i++)
		if (s->revoked[i].id == q->id)
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
	if (q->id || !name_ok(q->name))
		return err_set(&a->err, -EPERM, "not a name for an operator");
	return sign_identity(s, q, "operator", SIGNER_OPERATOR_LIFE_S, now, a);
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

static int sign_list(struct signer *s, const struct revoked *list, size_t n, uint64_t epoch,
		     int64_t now, struct buf *to, struct err *e)
{
	AUTO_FREE Cmx__Revoked *rows = calloc(n, sizeof(*rows));
	AUTO_FREE Cmx__Revoked **refs = calloc(n, sizeof(*refs));
	Cmx__RevocationList body = CMX__REVOCATION_LIST__INIT;
	Cmx__Statement statement = CMX__STATEMENT__INIT;
	uint8_t signature[CA_SIGNATURE_BYTES];
	struct buf b;
	int r;

	if (!rows || !refs)
		return err_set(e, -ENOMEM, "out of memory");
	for (size_t i = 0; i < n; i++) {
		cmx__revoked__init(&rows[i]);
		rows[i].id = list[i].id;
		rows[i].name = (char *)list[i].name;
		rows[i].until = list[i].until;
		refs[i] = &rows[i];
	}
	body.cluster = (char *)s->cluster->id;
	body.epoch = epoch;
	body.time = now;
	body.n_entries = n;
	body.entries = refs;
	buf_init(&b, REVOKED_FILE_MAX);
	r = message_pack(&b, &body);
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

static void answer_statement(const struct signer *s, struct signer_answer *a)
{
	a->reply.statement.data = (uint8_t *)buf_bytes(&s->statement);
	a->reply.statement.len = s->statement.len;
	a->reply.epoch = s->epoch;
}

static int sign_revoke(struct signer *s, const Cmx__SignRequest *q, int64_t now,
		       struct signer_answer *a)
{
	AUTO_FREE struct revoked *list = calloc(s->n_revoked + 1, sizeof(*list));
	char path[PATH_MAX];
	struct buf signed_list;
	size_t n = 0;
	int len, r;

	if (!list)
		return err_set(&a->err, -ENOMEM, "out of memory");
	if (q->id <= HEAD_NODE_ID || !name_ok(q->name))
		return err_set(&a->err, -EPERM, "the head cannot be revoked");
	for (size_t i = 0; i < s->n_revoked; i++)
		if (s->revoked[i].until > now && s->revoked[i].id != q->id)
			list[n++] = s->revoked[i];
	if (n >= SIGNER_REVOKED_MAX)
		return err_set(&a->err, -ENOSPC,
			       "%d nodes were revoked within a day; wait until the first of "
			       "their certificates have ended",
			       SIGNER_REVOKED_MAX);
	list[n].id = q->id;
	list[n].until = now + SIGNER_NODE_LIFE_S;
	(void)snprintf(list[n++].name, sizeof(list[0].name), "%s", q->name);

	buf_init(&signed_list, REVOKED_FILE_MAX);
	r = sign_list(s, list, n, s->epoch + 1, now, &signed_list, &a->err);
	len = snprintf(path, sizeof(path), "%s/%s", s->dir, REVOKED_FILE);
	if (!r && (size_t)len >= sizeof(path))
		r = -ENAMETOOLONG;
	/* on disk before anybody hears of it: a list that was given out must not be forgotten */
	if (!r)
		r = file_write_atomic(path, buf_bytes(&signed_list), signed_list.len, 0600,
				      &a->err);
	if (r < 0) {
		buf_done(&signed_list);
		return r;
	}
	buf_done(&s->statement);
	s->statement = signed_list;
	free(s->revoked);
	s->revoked = ptr_take(&list);
	s->n_revoked = n;
	s->epoch++;
	log_info("revoked node %u '%s', list %" PRIu64 " has %zu", q->id, q->name, s->epoch, n);
	answer_statement(s, a);
	return 0;
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
}

/* --- life --- */

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

	if (!list || list->n_entries > SIGNER_REVOKED_MAX)
		return err_set(e, -EINVAL, "'%s' is damaged; restore it from a backup", path);
	s->revoked = calloc(list->n_entries + 1, sizeof(*s->revoked));
	if (!s->revoked)
		return err_set(e, -ENOMEM, "out of memory");
	for (size_t i = 0; i < list->n_entries; i++) {
		s->revoked[i].id = list->entries[i]->id;
		s->revoked[i].until = list->entries[i]->until;
		(void)snprintf(s->revoked[i].name, sizeof(s->revoked[i].name), "%s",
			       list->entries[i]->name);
	}
	s->n_revoked = list->n_entries;
	s->epoch = list->epoch;
	return 0;
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
	free(s->revoked);
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
