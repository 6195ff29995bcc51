/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_signer.c - what the authority signs, and what the signer refuses to */
#include <errno.h>
#include <gnutls/abstract.h>
#include <gnutls/x509.h>
#include <unistd.h>

#include "head/name.h"
#include "head/signer.h"
#include "log/log.h"
#include "net/enroll.h"
#include "os/file.h"
#include "test.h"
#include "wire/message.h"

#define NOW 1800000000

static char dir[64];
static struct cluster cluster = { .id = "0123456789abcdef0123456789abcdef",
				  .name = "test",
				  .address = "10.0.0.1",
				  .port = 4661,
				  .dns = { "main-machine" },
				  .n_dns = 1 };
static struct signer *signer;
static char csr[ENROLL_PEM_MAX];

static int make(void **state)
{
	struct buf key, request;
	struct err e = { 0 };
	int r;

	log_open("test", LOG_ERR); /* refusals are what is tested */
	(void)snprintf(dir, sizeof(dir), "/tmp/test_signer.XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	buf_init(&key, ENROLL_PEM_MAX);
	buf_init(&request, ENROLL_PEM_MAX);
	r = ca_make(dir, "test", NOW, &e);
	if (!r)
		r = signer_open(dir, &cluster, &signer, &e);
	if (!r)
		r = enroll_key(&key, &e);
	if (!r)
		r = enroll_request(buf_bytes(&key), key.len, &request, &e);
	(void)snprintf(csr, sizeof(csr), "%s", buf_text(&request));
	buf_done(&key);
	buf_done(&request);
	return r;
}

static int unmake(void **state)
{
	signer_close(signer);
	signer = NULL;
	return dir_remove(dir, NULL);
}

static void ask(enum signer_from from, Cmx__SignVerb verb, const char *name, const char *role,
		uint32_t id, const char *pem, int64_t now, struct signer_answer *a)
{
	Cmx__SignRequest q = CMX__SIGN_REQUEST__INIT;
	struct buf b;

	buf_init(&b, 65536);
	q.number = 7;
	q.verb = verb;
	q.name = (char *)name;
	q.role = (char *)role;
	q.id = id;
	q.csr.data = (uint8_t *)pem;
	q.csr.len = strlen(pem);
	assert_int_equal(message_pack(&b, &q), 0);
	signer_answer(signer, from, buf_bytes(&b), b.len, now, a);
	buf_done(&b);
	assert_int_equal(a->reply.number, 7);
	assert_int_equal(a->reply.error != 0, a->reply.text[0] != '\0');
}

static gnutls_x509_crt_t import(const struct buf *pem)
{
	gnutls_datum_t d = { (uint8_t *)buf_bytes(pem), (unsigned int)pem->len };
	gnutls_x509_crt_t crt;

	assert_int_equal(gnutls_x509_crt_init(&crt), 0);
	assert_int_equal(gnutls_x509_crt_import(crt, &d, GNUTLS_X509_FMT_PEM), 0);
	return crt;
}

/* as docs/PROTOCOL.md section 5 wants it */
static void a_node_certificate(void **state)
{
	struct signer_answer a;
	struct identity id;
	gnutls_x509_crt_t crt, ca;
	gnutls_datum_t der = { 0 };
	struct buf ca_pem;
	unsigned int usage, status, critical, is_ca;
	char path[96];

	ask(SIGNER_FROM_WEB, CMX__SIGN_VERB__SIGN_NODE, "n1", "desktop", 2, csr, NOW, &a);
	assert_int_equal(a.reply.error, 0);
	crt = import(&a.certificate);
	assert_int_equal(gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_DER, &der), 0);
	assert_int_equal(identity_of_der(der.data, der.size, &id, NULL), 0);
	assert_string_equal(id.cluster, cluster.id);
	assert_string_equal(id.name, "n1");
	assert_int_equal(id.id, 2);
	assert_int_equal(id.role, ROLE_DESKTOP);
	assert_int_equal(id.not_before, NOW - 300);
	assert_int_equal(id.not_after, NOW + 24 * 3600);
	assert_true(gnutls_x509_crt_check_hostname(crt, "n1"));
	assert_int_equal(gnutls_x509_crt_get_key_usage(crt, &usage, &critical), 0);
	assert_int_equal(usage, GNUTLS_KEY_DIGITAL_SIGNATURE);
	assert_int_equal(gnutls_x509_crt_get_basic_constraints(crt, &critical, &is_ca, NULL), 0);
	assert_false(is_ca);

	buf_init(&ca_pem, 8192);
	(void)snprintf(path, sizeof(path), "%s/ca.pem", dir);
	assert_int_equal(file_read(path, &ca_pem, NULL), 0);
	ca = import(&ca_pem);
	assert_int_equal(gnutls_x509_crt_list_verify(&crt, 1, &ca, 1, NULL, 0,
						     GNUTLS_VERIFY_DISABLE_TIME_CHECKS, &status),
			 0);
	assert_int_equal(status, 0);
	gnutls_x509_crt_deinit(ca);
	gnutls_x509_crt_deinit(crt);
	gnutls_free(der.data);
	buf_done(&ca_pem);
	signer_answer_done(&a);
}

static void what_it_refuses(void **state)
{
	static const struct {
		enum signer_from from;
		Cmx__SignVerb verb;
		const char *name, *role;
		uint32_t id;
		int error;
	} rows[] = {
		{ SIGNER_FROM_WEB, CMX__SIGN_VERB__SIGN_NODE, "n1", "server", 2, 0 },
		{ SIGNER_FROM_WEB, CMX__SIGN_VERB__SIGN_NODE, "head", "head", 1, 0 },
		{ SIGNER_FROM_WEB, CMX__SIGN_VERB__SIGN_NODE, "n1", "head", 2, EPERM },
		{ SIGNER_FROM_WEB, CMX__SIGN_VERB__SIGN_NODE, "n1", "head", 1, EPERM },
		{ SIGNER_FROM_WEB, CMX__SIGN_VERB__SIGN_NODE, "n1", "operator", 0, EPERM },
		{ SIGNER_FROM_WEB, CMX__SIGN_VERB__SIGN_NODE, "n1", "operator", 2, EPERM },
		{ SIGNER_FROM_WEB, CMX__SIGN_VERB__SIGN_NODE, "head", "server", 1, EPERM },
		{ SIGNER_FROM_WEB, CMX__SIGN_VERB__SIGN_NODE, "head", "server", 2, EPERM },
		{ SIGNER_FROM_WEB, CMX__SIGN_VERB__SIGN_NODE, "n1", "server", 1, EPERM },
		{ SIGNER_FROM_WEB, CMX__SIGN_VERB__SIGN_NODE, "localhost", "server", 2, EPERM },
		{ SIGNER_FROM_WEB, CMX__SIGN_VERB__SIGN_NODE, "main-machine", "server", 2, EPERM },
		{ SIGNER_FROM_WEB, CMX__SIGN_VERB__SIGN_NODE, "a/head/1/b", "server", 2, EPERM },
		{ SIGNER_FROM_WEB, CMX__SIGN_VERB__SIGN_NODE, "10.0.0.1", "server", 2, EPERM },
		{ SIGNER_FROM_WEB, CMX__SIGN_VERB__SIGN_NODE, "", "server", 2, EPERM },
		{ SIGNER_FROM_WEB, CMX__SIGN_VERB__SIGN_OPERATOR, "operator", "", 0, EPERM },
		{ SIGNER_FROM_HELPER, CMX__SIGN_VERB__SIGN_OPERATOR, "operator", "", 0, 0 },
		{ SIGNER_FROM_HELPER, CMX__SIGN_VERB__SIGN_OPERATOR, "operator", "", 3, EPERM },
		{ SIGNER_FROM_HELPER, CMX__SIGN_VERB__SIGN_OPERATOR, "head", "", 0, EPERM },
		{ SIGNER_FROM_HELPER, CMX__SIGN_VERB__SIGN_NODE, "n1", "server", 2, EPERM },
		{ SIGNER_FROM_HELPER, CMX__SIGN_VERB__SIGN_REVOKE, "n1", "", 2, EPERM },
		{ SIGNER_FROM_WEB, CMX__SIGN_VERB__SIGN_REVOKE, "head", "", 1, EPERM },
		{ SIGNER_FROM_WEB, CMX__SIGN_VERB__SIGN_HTTPS, "", "", 0, 0 },
		{ SIGNER_FROM_WEB, CMX__SIGN_VERB__SIGN_NONE, "", "", 0, ENOSYS },
		{ SIGNER_FROM_WEB, (Cmx__SignVerb)99, "", "", 0, ENOSYS },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct signer_answer a;

		ask(rows[i].from, rows[i].verb, rows[i].name, rows[i].role, rows[i].id, csr, NOW,
		    &a);
		if (a.reply.error != (uint32_t)rows[i].error)
			fail_msg("row %zu: error %u, wanted %d", i, a.reply.error, rows[i].error);
		assert_int_equal(a.certificate.len != 0, !rows[i].error);
		signer_answer_done(&a);
	}
}

static char *make_csr(gnutls_pk_algorithm_t pk, unsigned int bits, bool foreign_signature)
{
	gnutls_x509_privkey_t key, other;
	gnutls_x509_crq_t crq;
	gnutls_datum_t out;
	char *text;

	assert_int_equal(gnutls_x509_privkey_init(&key), 0);
	assert_int_equal(gnutls_x509_privkey_init(&other), 0);
	assert_int_equal(gnutls_x509_crq_init(&crq), 0);
	assert_int_equal(gnutls_x509_privkey_generate(key, pk, bits, 0), 0);
	assert_int_equal(gnutls_x509_privkey_generate(other, pk, bits, 0), 0);
	assert_int_equal(gnutls_x509_crq_set_version(crq, 1), 0);
	assert_int_equal(gnutls_x509_crq_set_key(crq, key), 0);
	assert_int_equal(gnutls_x509_crq_set_dn(crq, "CN=head,O=evil", NULL), 0);
	assert_int_equal(gnutls_x509_crq_set_basic_constraints(crq, 1, 5), 0);
	if (foreign_signature) {
		/* signed by another key than the one inside */
		gnutls_privkey_t signing;

		assert_int_equal(gnutls_privkey_init(&signing), 0);
		assert_int_equal(gnutls_privkey_import_x509(signing, other, 0), 0);
		assert_int_equal(gnutls_x509_crq_privkey_sign(crq, signing, GNUTLS_DIG_SHA256, 0),
				 0);
		gnutls_privkey_deinit(signing);
	} else {
		assert_int_equal(gnutls_x509_crq_sign2(crq, key,
						       pk == GNUTLS_PK_EDDSA_ED25519
							       ? GNUTLS_DIG_SHA512
							       : GNUTLS_DIG_SHA256,
						       0),
				 0);
	}
	assert_int_equal(gnutls_x509_crq_export2(crq, GNUTLS_X509_FMT_PEM, &out), 0);
	text = strndup((char *)out.data, out.size);
	gnutls_free(out.data);
	gnutls_x509_crq_deinit(crq);
	gnutls_x509_privkey_deinit(key);
	gnutls_x509_privkey_deinit(other);
	return text;
}

static void hostile_requests(void **state)
{
	static const struct {
		gnutls_pk_algorithm_t pk;
		unsigned int bits;
		bool foreign_signature, ok;
	} rows[] = {
		{ GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), false, true },
		{ GNUTLS_PK_EDDSA_ED25519, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_ED25519), false,
		  true },
		{ GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP384R1), false, false },
		{ GNUTLS_PK_RSA, 1024, false, false },
		{ GNUTLS_PK_RSA, 2048, false, false },
		{ GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), true, false },
	};
	char fingerprint[CA_FINGERPRINT_TEXT];
	AUTO_FREE char *huge = malloc(CA_REQUEST_MAX + 2);
	struct err e;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO_FREE char *pem = make_csr(rows[i].pk, rows[i].bits, rows[i].foreign_signature);
		struct signer_answer a;

		e = (struct err){ 0 };
		assert_int_equal(ca_check_request(pem, strlen(pem), fingerprint, &e),
				 rows[i].ok ? 0 : -EINVAL);
		assert_int_equal(e.text[0] == '\0', rows[i].ok);
		ask(SIGNER_FROM_WEB, CMX__SIGN_VERB__SIGN_NODE, "n9", "desktop", 9, pem, NOW, &a);
		assert_int_equal(a.reply.error, rows[i].ok ? 0 : EINVAL);
		if (rows[i].ok) {
			/* what the request said about itself is not in the certificate */
			gnutls_x509_crt_t crt = import(&a.certificate);
			unsigned int critical, is_ca = 1;
			char dn[128];
			size_t size = sizeof(dn);

			assert_int_equal(gnutls_x509_crt_get_dn(crt, dn, &size), 0);
			assert_string_equal(dn, "CN=n9");
			assert_int_equal(
				gnutls_x509_crt_get_basic_constraints(crt, &critical, &is_ca, NULL),
				0);
			assert_false(is_ca);
			gnutls_x509_crt_deinit(crt);
		}
		signer_answer_done(&a);
	}
	assert_non_null(huge);
	memset(huge, 'A', CA_REQUEST_MAX + 1);
	huge[CA_REQUEST_MAX + 1] = '\0';
	assert_int_equal(ca_check_request(huge, CA_REQUEST_MAX + 1, fingerprint, &e), -EINVAL);
	assert_int_equal(ca_check_request("", 0, fingerprint, &e), -EINVAL);
	assert_int_equal(ca_check_request("-----BEGIN", 10, fingerprint, &e), -EINVAL);
}

static void garbage_is_answered(void **state)
{
	struct signer_answer a;

	signer_answer(signer, SIGNER_FROM_WEB, "\xff\xff\xff", 3, NOW, &a);
	assert_int_equal(a.reply.error, EPROTO);
	signer_answer_done(&a);
}

/* body and signature of the newest list */
static Cmx__RevocationList *check_statement(const ProtobufCBinaryData *d)
{
	gnutls_datum_t body, sig, pem;
	Cmx__RevocationList *list;
	gnutls_pubkey_t key;
	struct buf b;
	char path[96];

	AUTO_MESSAGE Cmx__Statement *st = message_get(&cmx__statement__descriptor, d->data, d->len,
						      NULL);

	assert_non_null(st);
	buf_init(&b, 8192);
	(void)snprintf(path, sizeof(path), "%s/statement.pub", dir);
	assert_int_equal(file_read(path, &b, NULL), 0);
	pem = (gnutls_datum_t){ (uint8_t *)buf_bytes(&b), (unsigned int)b.len };
	assert_int_equal(gnutls_pubkey_init(&key), 0);
	assert_int_equal(gnutls_pubkey_import(key, &pem, GNUTLS_X509_FMT_PEM), 0);
	body = (gnutls_datum_t){ st->body.data, (unsigned int)st->body.len };
	sig = (gnutls_datum_t){ st->signature.data, (unsigned int)st->signature.len };
	assert_true(gnutls_pubkey_verify_data2(key, GNUTLS_SIGN_EDDSA_ED25519, 0, &body, &sig) >=
		    0);
	gnutls_pubkey_deinit(key);
	buf_done(&b);
	list = message_get(&cmx__revocation_list__descriptor, st->body.data, st->body.len, NULL);
	assert_non_null(list);
	assert_string_equal(list->cluster, cluster.id);
	return list;
}

static void revocation_cannot_be_taken_back(void **state)
{
	struct signer_answer a;
	Cmx__RevocationList *list;
	struct err e = { 0 };

	ask(SIGNER_FROM_WEB, CMX__SIGN_VERB__SIGN_REVOKE, "n2", "", 2, "", NOW, &a);
	assert_int_equal(a.reply.error, 0);
	assert_int_equal(a.reply.epoch, 1);
	list = check_statement(&a.reply.statement);
	assert_int_equal(list->n_entries, 1);
	assert_int_equal(list->entries[0]->id, 2);
	assert_int_equal(list->entries[0]->until, NOW + 24 * 3600);
	message_free(&list);
	signer_answer_done(&a);

	ask(SIGNER_FROM_WEB, CMX__SIGN_VERB__SIGN_REVOKE, "n3", "", 3, "", NOW + 10, &a);
	list = check_statement(&a.reply.statement);
	assert_int_equal(list->epoch, 2);
	assert_int_equal(list->n_entries, 2); /* the first stays, whatever was asked */
	message_free(&list);
	signer_answer_done(&a);

	/* no certificate for it any more, also after a restart */
	ask(SIGNER_FROM_WEB, CMX__SIGN_VERB__SIGN_NODE, "n2", "desktop", 2, csr, NOW + 20, &a);
	assert_int_equal(a.reply.error, EPERM);
	signer_answer_done(&a);
	signer_close(signer);
	signer = NULL;
	assert_int_equal(signer_open(dir, &cluster, &signer, &e), 0);
	ask(SIGNER_FROM_WEB, CMX__SIGN_VERB__SIGN_NODE, "n2", "desktop", 2, csr, NOW + 20, &a);
	assert_int_equal(a.reply.error, EPERM);
	signer_answer_done(&a);
	ask(SIGNER_FROM_WEB, CMX__SIGN_VERB__SIGN_STATEMENT, "", "", 0, "", NOW, &a);
	assert_int_equal(a.reply.epoch, 2);
	signer_answer_done(&a);

	/* when the last certificates have ended the entries go, the epoch goes on */
	ask(SIGNER_FROM_WEB, CMX__SIGN_VERB__SIGN_REVOKE, "n4", "", 4, "", NOW + 3 * 24 * 3600, &a);
	list = check_statement(&a.reply.statement);
	assert_int_equal(list->epoch, 3);
	assert_int_equal(list->n_entries, 1);
	message_free(&list);
	signer_answer_done(&a);
}

static void too_often_is_refused(void **state)
{
	int refused = 0;

	for (int i = 0; i < 100; i++) {
		struct signer_answer a;

		ask(SIGNER_FROM_HELPER, CMX__SIGN_VERB__SIGN_OPERATOR, "operator", "", 0, csr, NOW,
		    &a);
		refused += a.reply.error == EAGAIN;
		signer_answer_done(&a);
	}
	assert_int_equal(refused, 90);
}

/* serial number of a new operator's credential */
static void make_operator(int64_t now, char serial[CA_SERIAL_TEXT])
{
	struct signer_answer a;

	ask(SIGNER_FROM_HELPER, CMX__SIGN_VERB__SIGN_OPERATOR, "operator", "", 0, csr, now, &a);
	assert_int_equal(a.reply.error, 0);
	(void)snprintf(serial, CA_SERIAL_TEXT, "%s", a.reply.serial);
	signer_answer_done(&a);
}

static uint32_t revoke_operator(enum signer_from from, const char *serial, int64_t now,
				uint64_t *ret_epoch)
{
	Cmx__SignRequest q = CMX__SIGN_REQUEST__INIT;
	struct signer_answer a;
	uint32_t error;
	struct buf b;

	buf_init(&b, 256);
	q.verb = CMX__SIGN_VERB__SIGN_REVOKE_OPERATOR;
	q.serial = (char *)serial;
	assert_int_equal(message_pack(&b, &q), 0);
	signer_answer(signer, from, buf_bytes(&b), b.len, now, &a);
	buf_done(&b);
	error = a.reply.error;
	*ret_epoch = a.reply.epoch;
	if (!error) {
		Cmx__RevocationList *list = check_statement(&a.reply.statement);
		const Cmx__RevokedOperator *last = list->operators[list->n_operators - 1];

		assert_string_equal(last->serial, serial);
		assert_true(last->until > now);
		message_free(&list);
	}
	signer_answer_done(&a);
	return error;
}

/* "serial" or "-serial" of the rows */
static void operators_are(int64_t now, const char *first, const char *second)
{
	const char *const want[] = { first, second };
	struct signer_answer a;

	ask(SIGNER_FROM_WEB, CMX__SIGN_VERB__SIGN_OPERATORS, "", "", 0, "", now, &a);
	assert_int_equal(a.reply.error, 0);
	assert_int_equal(a.reply.n_operators, second ? 2 : 1);
	for (size_t i = 0; i < a.reply.n_operators; i++) {
		assert_int_equal(a.reply.operators[i]->revoked, want[i][0] == '-');
		assert_string_equal(a.reply.operators[i]->serial, want[i] + (want[i][0] == '-'));
		assert_string_equal(a.reply.operators[i]->name, "operator");
	}
	signer_answer_done(&a);
}

static void an_operator_is_revoked_for_good(void **state)
{
	char one[CA_SERIAL_TEXT], gone[CA_SERIAL_TEXT + 1] = "-", two[CA_SERIAL_TEXT];
	const int64_t year = SIGNER_OPERATOR_LIFE_S;
	struct signer_answer a;
	uint64_t epoch;

	make_operator(NOW, one);
	make_operator(NOW + 10, two);
	(void)snprintf(gone + 1, sizeof(gone) - 1, "%s", one);
	operators_are(NOW + 20, one, two);
	assert_int_equal(revoke_operator(SIGNER_FROM_HELPER, one, NOW + 20, &epoch), EPERM);
	assert_int_equal(revoke_operator(SIGNER_FROM_WEB, "00", NOW + 20, &epoch), ENOENT);
	assert_int_equal(revoke_operator(SIGNER_FROM_WEB, one, NOW + 20, &epoch), 0);
	assert_int_equal(epoch, 1);
	assert_int_equal(revoke_operator(SIGNER_FROM_WEB, one, NOW + 20, &epoch), 0);
	assert_int_equal(epoch, 1); /* it was on the list */
	operators_are(NOW + 20, gone, two);
	/* a node's revocation and a restart leave it there */
	ask(SIGNER_FROM_WEB, CMX__SIGN_VERB__SIGN_REVOKE, "n2", "", 2, "", NOW + 30, &a);
	assert_int_equal(a.reply.error, 0);
	signer_answer_done(&a);
	signer_close(signer);
	signer = NULL;
	assert_int_equal(signer_open(dir, &cluster, &signer, NULL), 0);
	operators_are(NOW + 40, gone, two);
	/* what has ended is forgotten when the next is made */
	make_operator(NOW + 5 + year, one);
	operators_are(NOW + 5 + year, two, one);
}

/* answers of n requests in a row that were EAGAIN */
static int ask_often(Cmx__SignVerb verb, const char *name, const char *role, uint32_t id, int n,
		     int64_t now)
{
	int refused = 0;

	for (int i = 0; i < n; i++) {
		struct signer_answer a;

		ask(SIGNER_FROM_WEB, verb, name, role, id, csr, now, &a);
		refused += a.reply.error == EAGAIN;
		signer_answer_done(&a);
	}
	return refused;
}

/* more requests than all nodes together may make in a burst */
static void a_greedy_node_starves_nobody(void **state)
{
	const Cmx__SignVerb node = CMX__SIGN_VERB__SIGN_NODE;

	assert_true(ask_often(node, "greedy", "desktop", 2, 2500, NOW) > 2400);
	assert_int_equal(ask_often(node, "n3", "desktop", 3, 10, NOW), 0);
	/* it is not shut out for good, nor does waiting save up more than a burst */
	assert_int_equal(ask_often(node, "greedy", "desktop", 2, 1, NOW + 3600), 0);
	assert_true(ask_often(node, "greedy", "desktop", 2, 100, NOW + 30 * 3600) > 70);
}

static void the_list_is_always_given(void **state)
{
	assert_int_equal(ask_often(CMX__SIGN_VERB__SIGN_STATEMENT, "", "", 0, 5000, NOW), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_node_certificate, make, unmake),
		cmocka_unit_test_setup_teardown(what_it_refuses, make, unmake),
		cmocka_unit_test_setup_teardown(hostile_requests, make, unmake),
		cmocka_unit_test_setup_teardown(garbage_is_answered, make, unmake),
		cmocka_unit_test_setup_teardown(revocation_cannot_be_taken_back, make, unmake),
		cmocka_unit_test_setup_teardown(too_often_is_refused, make, unmake),
		cmocka_unit_test_setup_teardown(a_greedy_node_starves_nobody, make, unmake),
		cmocka_unit_test_setup_teardown(an_operator_is_revoked_for_good, make, unmake),
		cmocka_unit_test_setup_teardown(the_list_is_always_given, make, unmake),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
