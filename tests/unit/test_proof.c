/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_proof.c - the operator's word, and all that is not */
#include <errno.h>
#include <unistd.h>

#include "authority/authority.h"
#include "net/proof.h"
#include "os/clock.h"
#include "os/file.h"
#include "test.h"
#include "wire/message.h"

#define CLUSTER "00112233445566778899aabbccddeeff"
#define OTHER	"ffeeddccbbaa99887766554433221100"
#define DAY	86400

static struct {
	char dir[64];
	struct authority *authority, *stranger;
	gnutls_x509_crt_t ca;
	int64_t now;
} t;

/* what a proof is for, and who is asked: each test changes one thing */
struct request {
	struct proof_request rq;
	struct proof_check check;
};

static struct request request(void)
{
	return (struct request){
		.rq = { .kind = CMX__OPEN_KIND__OPEN_EXEC,
			.uid = 0,
			.body = "body",
			.body_len = 4 },
		.check = { .authorities = &t.ca,
			   .n_authorities = 1,
			   .cluster = CLUSTER,
			   .node = "n1",
			   .now_s = t.now },
	};
}

static void append(struct buf *to, const char *dir, const char *name)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	assert_int_equal(file_read(path, to, NULL), 0);
}

/* a credential of any role, signed by anybody */
static struct credential *credential(struct authority *a, const struct authority_order *order)
{
	struct authority_order o = *order;
	struct credential *c = NULL;
	char path[128], sub[128];
	struct buf b;
	int r;

	(void)snprintf(sub, sizeof(sub), "%s/order", t.dir);
	o.dir = sub;
	authority_issue(a, &o);
	buf_init(&b, 65536);
	append(&b, sub, "cert.pem");
	append(&b, sub, "key.pem");
	append(&b, sub, "ca.pem");
	(void)snprintf(path, sizeof(path), "%s/made.pem", t.dir);
	assert_int_equal(file_write_atomic(path, buf_bytes(&b), b.len, 0600, NULL), 0);
	buf_done(&b);
	r = credential_load(path, &c, NULL);
	assert_true(r == 0 || r == -EINVAL);
	return c;
}

static struct credential *good(void)
{
	static const struct authority_order o = {
		.role = "operator", .name = "kim", .from_s = -300, .to_s = DAY
	};
	struct credential *c = credential(t.authority, &o);

	assert_non_null(c);
	return c;
}

static Cmx__Proof *sign(const struct credential *c, const struct request *r)
{
	static const char *const nodes[] = { "n0", "n1" };
	Cmx__Proof *p = NULL;

	assert_int_equal(proof_sign(c, &r->rq, nodes, 2, r->check.now_s, &p, NULL), 0);
	return p;
}

static int verify(const Cmx__Proof *p, const struct request *r, struct err *e)
{
	struct identity operator= { 0 };
	struct nonce_cache *nonces;
	int ret;

	assert_int_equal(nonce_cache_new(4, t.now - DAY, &nonces), 0);
	ret = proof_verify(p, &r->rq, &r->check, nonces, &operator, e);
	nonce_cache_free(nonces);
	assert_string_equal(operator.name, ret ? "" : "kim");
	return ret;
}

static void refuses(const Cmx__Proof *p, const struct request *r, const char *why)
{
	struct err e = { 0 };

	if (verify(p, r, &e) != -EACCES)
		fail_msg("taken, and should not be: '%s' is wrong", why);
	if (!strstr(e.text, why))
		fail_msg("'%s' is not the reason wanted: '%s'", e.text, why);
}

static bool everybody(const void *owner, const char *serial)
{
	return *(const int *)owner == 42 && strlen(serial) >= 2;
}

static bool nobody(const void *owner, const char *serial)
{
	return false;
}

static void a_revoked_credential_proves_nothing(void **state)
{
	static const int owner = 42;
	struct credential *c = good();
	struct request r = request();
	Cmx__Proof *p = sign(c, &r);
	struct err e;

	r.check.owner = &owner;
	r.check.revoked = everybody;
	refuses(p, &r, "was revoked");
	r.check.revoked = nobody;
	assert_int_equal(verify(p, &r, &e), 0);
	message_free(&p);
	credential_free(c);
}

static void the_operators_word_is_taken(void **state)
{
	struct credential *c = good();
	struct request r = request();
	Cmx__Proof *p = sign(c, &r);

	assert_int_equal(verify(p, &r, NULL), 0);
	r.check.now_s += PROOF_WINDOW_S;
	assert_int_equal(verify(p, &r, NULL), 0);
	r.check.now_s -= 2 * PROOF_WINDOW_S;
	assert_int_equal(verify(p, &r, NULL), 0);
	message_free(&p);
	credential_free(c);
}

static void it_is_for_one_request(void **state)
{
	struct credential *c = good();
	struct request r = request(), x;
	Cmx__Proof *p = sign(c, &r);

	x = r;
	x.rq.kind = CMX__OPEN_KIND__OPEN_TASK;
	refuses(p, &x, "another kind");
	x = r;
	x.rq.body = "BODY";
	refuses(p, &x, "another request");
	x = r;
	x.rq.body_len = 3;
	refuses(p, &x, "another request");
	x.rq.body_len = 0;
	refuses(p, &x, "another request");
	x = r;
	x.rq.uid = 1000;
	refuses(p, &x, "another user");
	x = r;
	x.check.node = "n2";
	refuses(p, &x, "not for this node");
	x = r;
	x.check.cluster = OTHER;
	refuses(p, &x, "another cluster");
	x = r;
	x.check.now_s += PROOF_WINDOW_S + 1;
	refuses(p, &x, "not of this minute");
	x = r;
	x.check.now_s -= PROOF_WINDOW_S + 1;
	refuses(p, &x, "not of this minute");
	message_free(&p);
	credential_free(c);
}

static void it_is_forged_in_vain(void **state)
{
	struct credential *c = good();
	struct request r = request();
	Cmx__Proof *p = sign(c, &r), none = CMX__PROOF__INIT;

	refuses(NULL, &r, "no proof");
	refuses(&none, &r, "no proof");
	/* each byte of the signature, of the statement and of the certificate matters */
	for (size_t i = 0; i < p->signature.len; i++) {
		p->signature.data[i] ^= 1;
		assert_int_equal(verify(p, &r, NULL), -EACCES);
		p->signature.data[i] ^= 1;
	}
	for (size_t i = 0; i < p->statement.len; i++) {
		p->statement.data[i] ^= 1;
		assert_int_equal(verify(p, &r, NULL), -EACCES);
		p->statement.data[i] ^= 1;
	}
	for (size_t i = 0; i < p->certificate.len; i++) {
		p->certificate.data[i] ^= 1;
		assert_int_equal(verify(p, &r, NULL), -EACCES);
		p->certificate.data[i] ^= 1;
	}
	p->signature.len--;
	refuses(p, &r, "not signed by the operator");
	p->signature.len = 0;
	refuses(p, &r, "not well formed");
	message_free(&p);
	credential_free(c);
}

static void only_an_operator_of_this_cluster_has_a_word(void **state)
{
	static const struct {
		bool stranger;
		struct authority_order order;
		const char *why;
	} rows[] = {
		{ true,
		  { .role = "operator", .name = "kim", .from_s = -300, .to_s = DAY },
		  "not of this cluster" },
		{ false,
		  { .role = "operator", .name = "kim", .from_s = -DAY, .to_s = -60 },
		  "not valid now" },
		{ false,
		  { .role = "operator", .name = "kim", .from_s = 600, .to_s = DAY },
		  "not valid now" },
		{ false,
		  { .role = "operator",
		    .name = "kim",
		    .from_s = -300,
		    .to_s = DAY,
		    .uri = "comosix://" OTHER "/operator/0/kim" },
		  "is for another cluster" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct credential *c = credential(rows[i].stranger ? t.stranger : t.authority,
						  &rows[i].order);
		struct request r = request();
		Cmx__Proof *p;

		assert_non_null(c);
		p = sign(c, &r);
		refuses(p, &r, rows[i].why);
		message_free(&p);
		credential_free(c);
	}
}

/* the statement is the operator's, the certificate somebody else's */
static void another_role_has_no_word(void **state)
{
	static const char *const roles[] = { "head", "server", "desktop" };
	struct credential *c = good();
	struct request r = request();

	for (size_t i = 0; i < ARRAY_LEN(roles); i++) {
		const struct authority_order o = {
			.role = roles[i], .name = "kim", .id = 7, .from_s = -300, .to_s = DAY
		};
		gnutls_datum_t pem, der;
		gnutls_x509_crt_t crt;
		Cmx__Proof *p = sign(c, &r);
		char sub[128];
		struct buf b;

		assert_null(credential(t.authority, &o)); /* nor is it taken for one */
		(void)snprintf(sub, sizeof(sub), "%s/order", t.dir);
		buf_init(&b, 65536);
		append(&b, sub, "cert.pem");
		pem = (gnutls_datum_t){ b.data + b.off, (unsigned int)b.len };
		assert_int_equal(gnutls_x509_crt_init(&crt), 0);
		assert_int_equal(gnutls_x509_crt_import(crt, &pem, GNUTLS_X509_FMT_PEM), 0);
		assert_int_equal(gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_DER, &der), 0);
		free(p->certificate.data);
		p->certificate.data = malloc(der.size);
		assert_non_null(p->certificate.data);
		memcpy(p->certificate.data, der.data, der.size);
		p->certificate.len = der.size;
		refuses(p, &r, "not an operator's");
		gnutls_free(der.data);
		gnutls_x509_crt_deinit(crt);
		buf_done(&b);
		message_free(&p);
	}
	credential_free(c);
}

static void it_is_taken_once(void **state)
{
	struct credential *c = good();
	struct request r = request();
	struct identity operator;
	struct nonce_cache *nonces;
	Cmx__Proof *p[4];
	struct err e;

	assert_int_equal(nonce_cache_new(2, t.now, &nonces), 0);
	for (size_t i = 0; i < ARRAY_LEN(p); i++) {
		if (i == 3)
			r.check.now_s += 2 * PROOF_WINDOW_S;
		p[i] = sign(c, &r);
	}
	r.check.now_s = t.now;
	assert_int_equal(proof_verify(p[0], &r.rq, &r.check, nonces, &operator, & e), 0);
	assert_int_equal(proof_verify(p[0], &r.rq, &r.check, nonces, &operator, & e), -EACCES);
	assert_non_null(strstr(e.text, "used before"));
	assert_int_equal(proof_verify(p[1], &r.rq, &r.check, nonces, &operator, & e), 0);
	/* full: the third must wait until the first two are too old to come again */
	assert_int_equal(proof_verify(p[2], &r.rq, &r.check, nonces, &operator, & e), -EACCES);
	assert_non_null(strstr(e.text, "in a minute"));
	r.check.now_s += 2 * PROOF_WINDOW_S;
	assert_int_equal(proof_verify(p[3], &r.rq, &r.check, nonces, &operator, & e), 0);
	/* a clock set back does not open what was forgotten */
	r.check.now_s = t.now;
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(proof_verify(p[i], &r.rq, &r.check, nonces, &operator, & e),
				 -EACCES);
		assert_non_null(strstr(e.text, "older than this daemon"));
	}
	nonce_cache_free(nonces);
	/* nor does a restart: the new cache takes nothing from before its birth */
	assert_int_equal(nonce_cache_new(2, t.now + 1, &nonces), 0);
	assert_int_equal(proof_verify(p[1], &r.rq, &r.check, nonces, &operator, & e), -EACCES);
	assert_non_null(strstr(e.text, "older than this daemon"));
	nonce_cache_free(nonces);
	for (size_t i = 0; i < ARRAY_LEN(p); i++)
		message_free(&p[i]);
	credential_free(c);
}

static void a_file_that_is_no_credential(void **state)
{
	static const char *const texts[] = { "", "hello", "-----BEGIN CERTIFICATE-----\n" };
	struct credential *c = NULL;
	char path[128];
	struct err e;

	(void)snprintf(path, sizeof(path), "%s/bad.pem", t.dir);
	assert_int_equal(credential_load(path, &c, &e), -ENOENT);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		assert_int_equal(file_write_atomic(path, texts[i], strlen(texts[i]), 0600, NULL),
				 0);
		assert_int_equal(credential_load(path, &c, &e), -EINVAL);
		assert_non_null(strstr(e.text, "no operator's credential"));
	}
	/* as comosix init writes it, by the environment's name */
	authority_operator(t.authority, path);
	assert_int_equal(setenv("COMOSIX_OPERATOR", path, 1), 0);
	assert_int_equal(credential_load(NULL, &c, &e), 0);
	credential_free(c);
	credential_free(NULL);
}

static int setup(void **state)
{
	gnutls_datum_t pem;
	struct buf b;
	char sub[128];

	(void)snprintf(t.dir, sizeof(t.dir), "/tmp/test_proof.XXXXXX");
	assert_non_null(mkdtemp(t.dir));
	t.now = clock_wall_s();
	t.authority = authority_new(CLUSTER);
	t.stranger = authority_new(CLUSTER);
	credential_free(good());
	(void)snprintf(sub, sizeof(sub), "%s/order", t.dir);
	buf_init(&b, 65536);
	append(&b, sub, "ca.pem");
	pem = (gnutls_datum_t){ b.data + b.off, (unsigned int)b.len };
	assert_int_equal(gnutls_x509_crt_init(&t.ca), 0);
	assert_int_equal(gnutls_x509_crt_import(t.ca, &pem, GNUTLS_X509_FMT_PEM), 0);
	buf_done(&b);
	return 0;
}

static int teardown(void **state)
{
	gnutls_x509_crt_deinit(t.ca);
	authority_free(t.authority);
	authority_free(t.stranger);
	return dir_remove(t.dir, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_operators_word_is_taken),
		cmocka_unit_test(a_revoked_credential_proves_nothing),
		cmocka_unit_test(it_is_for_one_request),
		cmocka_unit_test(it_is_forged_in_vain),
		cmocka_unit_test(only_an_operator_of_this_cluster_has_a_word),
		cmocka_unit_test(another_role_has_no_word),
		cmocka_unit_test(it_is_taken_once),
		cmocka_unit_test(a_file_that_is_no_credential),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
