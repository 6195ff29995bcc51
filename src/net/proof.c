/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * proof.c - the operator's word for one request, and its check by the node that is asked
 *
 * Theory of operation. The check goes from cheap to dear: sizes, the statement's words against the
 * request, the certificate against the authority, the signature. Only then is the nonce taken, so
 * that nobody but the operator can fill the cache. All time is the caller's: GnuTLS is told not to
 * look at the clock.
 */
#include "net/proof.h"

#include <errno.h>
#include <gnutls/abstract.h>
#include <gnutls/crypto.h>

#include "net/identity.h"
#include "os/file.h"
#include "os/rand.h"
#include "wire/message.h"

#define FILE_MAX      65536
#define CERTS_MAX     8
#define SHA256_LEN    32
#define SIGNATURE_MAX 128

struct credential {
	gnutls_x509_crt_t cert;
	gnutls_privkey_t key;
	char cluster[CLUSTER_ID_LEN + 1];
};

struct nonce {
	uint8_t bytes[PROOF_NONCE_LEN];
	int64_t time;
};

struct nonce_cache {
	struct nonce *rows; /* owned */
	size_t n, cap, max;
	int64_t horizon; /* what is not later than this may have been used, and was forgotten */
};

/* ---- the side that asks ---- */

void credential_free(struct credential *c)
{
	if (!c)
		return;
	if (c->cert)
		gnutls_x509_crt_deinit(c->cert);
	if (c->key)
		gnutls_privkey_deinit(c->key); /* GnuTLS wipes it */
	free(c);
}

static int take_certificate(struct credential *c, const gnutls_datum_t *pem)
{
	gnutls_x509_crt_t certs[CERTS_MAX];
	gnutls_datum_t der = { 0 };
	unsigned int n = CERTS_MAX;
	struct identity id;
	int r;

	if (gnutls_x509_crt_list_import(certs, &n, pem, GNUTLS_X509_FMT_PEM, 0) < 0 || !n)
		return -EINVAL;
	for (unsigned int i = 1; i < n; i++) /* the authority's */
		gnutls_x509_crt_deinit(certs[i]);
	c->cert = certs[0];
	if (gnutls_x509_crt_export2(c->cert, GNUTLS_X509_FMT_DER, &der) < 0)
		return -ENOMEM;
	r = identity_of_der(der.data, der.size, &id, NULL);
	gnutls_free(der.data);
	if (r < 0 || id.role != ROLE_OPERATOR)
		return -EINVAL;
	memcpy(c->cluster, id.cluster, sizeof(c->cluster));
	return 0;
}

static int take_key(struct credential *c, const gnutls_datum_t *pem)
{
	if (gnutls_privkey_init(&c->key) < 0)
		return -ENOMEM;
	return gnutls_privkey_import_x509_raw(c->key, pem, GNUTLS_X509_FMT_PEM, NULL, 0) < 0
		       ? -EINVAL
		       : 0;
}

int credential_load(const char *path, struct credential **ret, struct err *e)
{
	struct credential *c = calloc(1, sizeof(*c));
	struct buf file;
	int r;

	if (!path)
		path = getenv("COMOSIX_OPERATOR");
	if (!path)
		path = PROOF_FILE_DEFAULT;
	if (!c)
		return err_set(e, -ENOMEM, "out of memory");
	buf_init(&file, FILE_MAX);
	r = file_read(path, &file, e);
	if (!r) {
		const gnutls_datum_t pem = { file.data + file.off, (unsigned int)file.len };

		r = file.len ? take_certificate(c, &pem) : -EINVAL;
		if (!r)
			r = take_key(c, &pem);
		if (r < 0)
			err_set(e, r,
				"'%s' is no operator's credential (certificate and key, as "
				"'comosix "
				"init' writes it)",
				path);
		gnutls_memset(file.data, 0, file.cap);
	}
	buf_done(&file);
	if (r < 0) {
		credential_free(c);
		return r;
	}
	*ret = c;
	return 0;
}

static int hash_body(const struct proof_request *rq, uint8_t *to)
{
	static const uint8_t nothing;

	return gnutls_hash_fast(GNUTLS_DIG_SHA256, rq->body_len ? rq->body : &nothing, rq->body_len,
				to) < 0
		       ? -ENOMEM
		       : 0;
}

static int pack_statement(const struct credential *c, const struct proof_request *rq,
			  const char *const *nodes, size_t n_nodes, int64_t now_s, struct buf *to)
{
	Cmx__ProofStatement s = CMX__PROOF_STATEMENT__INIT;
	uint8_t hash[SHA256_LEN], nonce[PROOF_NONCE_LEN];

	if (hash_body(rq, hash) < 0)
		return -ENOMEM;
	rand_bytes(nonce, sizeof(nonce));
	s.cluster = (char *)c->cluster; /* protobuf-c knows no const; all of it is only read */
	s.kind = rq->kind;
	s.nodes = (char **)nodes;
	s.n_nodes = n_nodes;
	s.body_sha256.data = hash;
	s.body_sha256.len = sizeof(hash);
	s.time = now_s;
	s.nonce.data = nonce;
	s.nonce.len = sizeof(nonce);
	s.uid = rq->uid;
	return message_pack(to, &s);
}

/* into memory that protobuf-c frees */
static int take_datum(const gnutls_datum_t *from, ProtobufCBinaryData *to)
{
	to->data = malloc(from->size + 1);
	if (!to->data)
		return -ENOMEM;
	memcpy(to->data, from->data, from->size);
	to->len = from->size;
	return 0;
}

static int fill_proof(const struct credential *c, struct buf *statement, Cmx__Proof *p)
{
	const gnutls_datum_t said = { statement->data + statement->off,
				      (unsigned int)statement->len };
	gnutls_datum_t signature = { 0 }, der = { 0 };
	int r = 0;

	if (gnutls_privkey_sign_data2(c->key, GNUTLS_SIGN_ECDSA_SHA256, 0, &said, &signature) < 0 ||
	    gnutls_x509_crt_export2(c->cert, GNUTLS_X509_FMT_DER, &der) < 0)
		r = -EINVAL;
	if (!r)
		r = take_datum(&said, &p->statement);
	if (!r)
		r = take_datum(&signature, &p->signature);
	if (!r)
		r = take_datum(&der, &p->certificate);
	gnutls_free(signature.data);
	gnutls_free(der.data);
	return r;
}

int proof_sign(const struct credential *c, const struct proof_request *rq, const char *const *nodes,
	       size_t n_nodes, int64_t now_s, Cmx__Proof **ret, struct err *e)
{
	Cmx__Proof *p;
	struct buf statement;
	int r;

	if (!n_nodes || n_nodes > PROOF_NODES_MAX)
		return err_set(e, -EINVAL, "a proof is for 1 to %d nodes", PROOF_NODES_MAX);
	p = malloc(sizeof(*p));
	if (!p)
		return err_set(e, -ENOMEM, "out of memory");
	cmx__proof__init(p);
	buf_init(&statement, PROOF_STATEMENT_MAX);
	r = pack_statement(c, rq, nodes, n_nodes, now_s, &statement);
	if (!r)
		r = fill_proof(c, &statement, p);
	buf_done(&statement);
	if (r < 0) {
		message_free(&p);
		return err_set(e, r, "sign with the operator's key: %s", strerror(-r));
	}
	*ret = p;
	return 0;
}

/* ---- nonces ---- */

int nonce_cache_new(size_t max, int64_t now_s, struct nonce_cache **ret)
{
	struct nonce_cache *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->max = max;
	c->horizon = now_s - 1;
	*ret = c;
	return 0;
}

void nonce_cache_free(struct nonce_cache *c)
{
	if (!c)
		return;
	free(c->rows);
	free(c);
}

static void forget_old(struct nonce_cache *c, int64_t now_s)
{
	size_t kept = 0;

	for (size_t i = 0; i < c->n; i++) {
		if (c->rows[i].time + PROOF_WINDOW_S >= now_s)
			c->rows[kept++] = c->rows[i];
		else if (c->rows[i].time > c->horizon)
			c->horizon = c->rows[i].time;
	}
	c->n = kept;
}

static int room_for_one(struct nonce_cache *c)
{
	size_t cap = c->cap ? 2 * c->cap : 16;
	struct nonce *rows;

	if (c->n < c->cap)
		return 0;
	rows = realloc(c->rows, cap * sizeof(*rows));
	if (!rows)
		return -ENOMEM;
	c->rows = rows;
	c->cap = cap;
	return 0;
}

static int take_nonce(struct nonce_cache *c, const uint8_t *nonce, int64_t time, int64_t now_s,
		      struct err *e)
{
	forget_old(c, now_s);
	if (time <= c->horizon)
		return err_set(e, -EACCES,
			       "the operator's proof is older than this daemon; ask again");
	for (size_t i = 0; i < c->n; i++)
		if (!memcmp(c->rows[i].bytes, nonce, PROOF_NONCE_LEN))
			return err_set(e, -EACCES, "the operator's proof was used before");
	if (c->n >= c->max)
		return err_set(e, -EACCES,
			       "too many requests of the operator; ask again in a minute");
	if (room_for_one(c) < 0)
		return err_set(e, -ENOMEM, "out of memory");
	memcpy(c->rows[c->n].bytes, nonce, PROOF_NONCE_LEN);
	c->rows[c->n++].time = time;
	return 0;
}

/* ---- the side that is asked ---- */

static bool names_node(const Cmx__ProofStatement *s, const char *node)
{
	for (size_t i = 0; i < s->n_nodes; i++)
		if (!strcmp(s->nodes[i], node))
			return true;
	return false;
}

static bool near(int64_t a, int64_t b, int64_t most)
{
	/* a hostile time must not overflow */
	return a <= b ? (uint64_t)b - (uint64_t)a <= (uint64_t)most
		      : (uint64_t)a - (uint64_t)b <= (uint64_t)most;
}

static int check_statement(const Cmx__ProofStatement *s, const struct proof_request *rq,
			   const struct proof_check *c, struct err *e)
{
	uint8_t hash[SHA256_LEN];

	if (hash_body(rq, hash) < 0)
		return err_set(e, -ENOMEM, "out of memory");
	const struct {
		bool wrong;
		const char *text;
	} rows[] = {
		{ strcmp(s->cluster, c->cluster) != 0, "is for another cluster" },
		{ s->kind != rq->kind, "is for a request of another kind" },
		{ s->n_nodes > PROOF_NODES_MAX || !names_node(s, c->node), "is not for this node" },
		{ s->uid != rq->uid, "is for another user" },
		{ s->body_sha256.len != sizeof(hash) ||
			  memcmp(s->body_sha256.data, hash, sizeof(hash)) != 0,
		  "is for another request" },
		{ !near(s->time, c->now_s, PROOF_WINDOW_S),
		  "is not of this minute; are the clocks of both nodes right?" },
		{ s->nonce.len != PROOF_NONCE_LEN, "has no nonce" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].wrong)
			return err_set(e, -EACCES, "the operator's proof %s", rows[i].text);
	return 0;
}

static bool valid_at(gnutls_x509_crt_t cert, int64_t now_s)
{
	return (int64_t)gnutls_x509_crt_get_activation_time(cert) <= now_s &&
	       (int64_t)gnutls_x509_crt_get_expiration_time(cert) >= now_s;
}

static bool issued_by_cluster(gnutls_x509_crt_t cert, const struct proof_check *c)
{
	unsigned int status = 0;

	for (unsigned int i = 0; i < c->n_authorities; i++) {
		if (!valid_at(c->authorities[i], c->now_s))
			continue;
		if (gnutls_x509_crt_verify(cert, &c->authorities[i], 1,
					   GNUTLS_VERIFY_DISABLE_TIME_CHECKS |
						   GNUTLS_VERIFY_DISABLE_TRUSTED_TIME_CHECKS |
						   GNUTLS_VERIFY_DO_NOT_ALLOW_SAME,
					   &status) == 0 &&
		    status == 0)
			return true;
	}
	return false;
}

static int check_certificate(gnutls_x509_crt_t cert, const Cmx__Proof *p,
			     const struct proof_check *c, struct identity *ret, struct err *e)
{
	unsigned int usage = 0;

	if (!issued_by_cluster(cert, c))
		return err_set(e, -EACCES,
			       "the certificate of the operator's proof is not of this cluster");
	if (!valid_at(cert, c->now_s))
		return err_set(e, -EACCES,
			       "the operator's certificate is not valid now; is it "
			       "expired, or a clock wrong?");
	if (identity_of_der(p->certificate.data, p->certificate.len, ret, NULL) < 0 ||
	    ret->role != ROLE_OPERATOR || strcmp(ret->cluster, c->cluster) != 0)
		return err_set(e, -EACCES, "the proof's certificate is not an operator's");
	if (gnutls_x509_crt_get_ca_status(cert, NULL) > 0 ||
	    gnutls_x509_crt_get_key_usage(cert, &usage, NULL) < 0 ||
	    !(usage & GNUTLS_KEY_DIGITAL_SIGNATURE))
		return err_set(e, -EACCES, "the operator's certificate may not sign");
	if (c->revoked && c->revoked(c->owner, ret->serial))
		return err_set(e, -EACCES,
			       "the operator's credential %s was revoked; make another on the head "
			       "with 'comosix-headd operator'",
			       ret->serial);
	return 0;
}

static int check_signature(gnutls_x509_crt_t cert, const Cmx__Proof *p, struct err *e)
{
	const gnutls_datum_t said = { p->statement.data, (unsigned int)p->statement.len };
	const gnutls_datum_t signature = { p->signature.data, (unsigned int)p->signature.len };
	gnutls_pubkey_t key;
	int r;

	if (gnutls_pubkey_init(&key) < 0)
		return err_set(e, -ENOMEM, "out of memory");
	r = gnutls_pubkey_import_x509(key, cert, 0);
	if (r >= 0)
		r = gnutls_pubkey_verify_data2(key, GNUTLS_SIGN_ECDSA_SHA256, 0, &said, &signature);
	gnutls_pubkey_deinit(key);
	return r < 0 ? err_set(e, -EACCES, "the operator's proof is not signed by the operator")
		     : 0;
}

static int check_signer(const Cmx__Proof *p, const struct proof_check *c, struct identity *ret,
			struct err *e)
{
	const gnutls_datum_t der = { p->certificate.data, (unsigned int)p->certificate.len };
	gnutls_x509_crt_t cert;
	int r;

	if (gnutls_x509_crt_init(&cert) < 0)
		return err_set(e, -ENOMEM, "out of memory");
	if (gnutls_x509_crt_import(cert, &der, GNUTLS_X509_FMT_DER) < 0)
		r = err_set(e, -EACCES, "the operator's proof has no certificate");
	else
		r = check_certificate(cert, p, c, ret, e);
	if (!r)
		r = check_signature(cert, p, e);
	gnutls_x509_crt_deinit(cert);
	return r;
}

int proof_verify(const Cmx__Proof *p, const struct proof_request *rq, const struct proof_check *c,
		 struct nonce_cache *nonces, struct identity *ret_operator, struct err *e)
{
	AUTO_MESSAGE Cmx__ProofStatement *s = NULL;
	struct identity operator;
	int r;

	if (!p || !p->statement.len)
		return err_set(e, -EACCES, "there is no proof of the operator");
	if (p->statement.len > PROOF_STATEMENT_MAX || p->certificate.len > PROOF_CERT_MAX ||
	    !p->certificate.len || p->signature.len > SIGNATURE_MAX || !p->signature.len)
		return err_set(e, -EACCES, "the operator's proof is not well formed");
	s = message_get(&cmx__proof_statement__descriptor, p->statement.data, p->statement.len,
			NULL);
	if (!s)
		return err_set(e, -EACCES, "the operator's proof is not well formed");
	r = check_statement(s, rq, c, e);
	if (!r)
		r = check_signer(p, c, &operator, e);
	if (!r)
		r = take_nonce(nonces, s->nonce.data, s->time, c->now_s, e);
	if (!r)
		*ret_operator = operator;
	return r;
}
