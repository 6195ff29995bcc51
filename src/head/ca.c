/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ca.c - the cluster's authorities: who signs certificates and statements */
#include "head/ca.h"

#include <arpa/inet.h>
#include <errno.h>
#include <gnutls/abstract.h>
#include <gnutls/x509.h>
#include <assert.h>
#include <limits.h>

#include "base/parse.h"
#include "os/file.h"
#include "os/rand.h"

#define AUTHORITY_LIFE_S   (20LL * 365 * 24 * 3600)
#define AUTHORITY_BACK_S   300
#define KEY_FILE_MAX	   8192
#define SUBJECT_KEY_ID_MAX 64

static const char *const file_names[] = { "ca.key", "ca.pem", "statement.key", "statement.pub" };

enum file {
	FILE_CA_KEY,
	FILE_CA_PEM,
	FILE_STATEMENT_KEY,
	FILE_STATEMENT_PUB,
};

static_assert(ARRAY_LEN(file_names) == FILE_STATEMENT_PUB + 1, "a name for each file");

struct ca {
	gnutls_x509_crt_t crt;
	gnutls_privkey_t key;
	gnutls_privkey_t statement_key;
};

static int tls_err(struct err *e, int r, const char *what)
{
	return err_set(e, r == GNUTLS_E_MEMORY_ERROR ? -ENOMEM : -EINVAL, "%s: %s", what,
		       gnutls_strerror(r));
}

static void file_path(char to[PATH_MAX], const char *dir, enum file which)
{
	(void)snprintf(to, PATH_MAX, "%s/%s", dir, file_names[which]);
}

/* @d is freed here */
static int save(const char *dir, enum file which, mode_t mode, gnutls_datum_t *d, struct err *e)
{
	char path[PATH_MAX];
	int r;

	file_path(path, dir, which);
	r = file_write_atomic(path, d->data, d->size, mode, e);
	gnutls_memset(d->data, 0, d->size);
	gnutls_free(d->data);
	d->data = NULL;
	return r;
}

/* a serial number of 16 random bytes, positive and not short in DER */
static void make_serial(uint8_t serial[CA_SERIAL_BYTES])
{
	rand_bytes(serial, CA_SERIAL_BYTES);
	serial[0] = (uint8_t)((serial[0] & 0x7f) | 0x40);
}

static int self_sign(gnutls_x509_crt_t crt, gnutls_x509_privkey_t key, const char *cluster,
		     int64_t now)
{
	uint8_t serial[CA_SERIAL_BYTES], id[SUBJECT_KEY_ID_MAX];
	size_t id_len = sizeof(id);
	char name[128];
	int n = snprintf(name, sizeof(name), "%s authority", cluster);
	int r = gnutls_x509_crt_set_version(crt, 3);

	make_serial(serial);
	if (r >= 0)
		r = gnutls_x509_crt_set_serial(crt, serial, sizeof(serial));
	if (r >= 0)
		r = gnutls_x509_crt_set_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, name,
						  (unsigned int)n);
	if (r >= 0)
		r = gnutls_x509_crt_set_key(crt, key);
	if (r >= 0)
		r = gnutls_x509_crt_set_activation_time(crt, now - AUTHORITY_BACK_S);
	if (r >= 0)
		r = gnutls_x509_crt_set_expiration_time(crt, now + AUTHORITY_LIFE_S);
	if (r >= 0)
		r = gnutls_x509_crt_set_basic_constraints(crt, 1, 0);
	if (r >= 0)
		r = gnutls_x509_crt_set_key_usage(crt,
						  GNUTLS_KEY_KEY_CERT_SIGN | GNUTLS_KEY_CRL_SIGN);
	if (r >= 0)
		r = gnutls_x509_crt_get_key_id(crt, 0, id, &id_len);
	if (r >= 0)
		r = gnutls_x509_crt_set_subject_key_id(crt, id, id_len);
	if (r >= 0)
		r = gnutls_x509_crt_sign2(crt, crt, key, GNUTLS_DIG_SHA256, 0);
	return r;
}

static int make_authority(const char *dir, const char *cluster, int64_t now, struct err *e)
{
	gnutls_x509_privkey_t key = NULL;
	gnutls_x509_crt_t crt = NULL;
	gnutls_datum_t key_pem = { 0 }, crt_pem = { 0 };
	int r = gnutls_x509_privkey_init(&key);

	if (r >= 0)
		r = gnutls_x509_crt_init(&crt);
	if (r >= 0)
		r = gnutls_x509_privkey_generate(
			key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0);
	if (r >= 0)
		r = self_sign(crt, key, cluster, now);
	if (r >= 0)
		r = gnutls_x509_privkey_export2_pkcs8(key, GNUTLS_X509_FMT_PEM, NULL,
						      GNUTLS_PKCS_PLAIN, &key_pem);
	if (r >= 0)
		r = gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, &crt_pem);
	gnutls_x509_crt_deinit(crt);
	gnutls_x509_privkey_deinit(key);
	if (r < 0) {
		gnutls_free(key_pem.data);
		return tls_err(e, r, "make the cluster's authority");
	}
	r = save(dir, FILE_CA_KEY, 0600, &key_pem, e);
	if (r < 0)
		gnutls_free(crt_pem.data);
	else
		r = save(dir, FILE_CA_PEM, 0644, &crt_pem, e);
	return r;
}

static int make_statement_key(const char *dir, struct err *e)
{
	gnutls_x509_privkey_t key = NULL;
	gnutls_privkey_t priv = NULL;
	gnutls_pubkey_t pub = NULL;
	gnutls_datum_t key_pem = { 0 }, pub_pem = { 0 };
	int r = gnutls_x509_privkey_init(&key);

	if (r >= 0)
		r = gnutls_x509_privkey_generate(key, GNUTLS_PK_EDDSA_ED25519,
						 GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_ED25519), 0);
	if (r >= 0)
		r = gnutls_x509_privkey_export2_pkcs8(key, GNUTLS_X509_FMT_PEM, NULL,
						      GNUTLS_PKCS_PLAIN, &key_pem);
	if (r >= 0)
		r = gnutls_privkey_init(&priv);
	if (r >= 0)
		r = gnutls_privkey_import_x509(priv, key, 0);
	if (r >= 0)
		r = gnutls_pubkey_init(&pub);
	if (r >= 0)
		r = gnutls_pubkey_import_privkey(pub, priv, 0, 0);
	if (r >= 0)
		r = gnutls_pubkey_export2(pub, GNUTLS_X509_FMT_PEM, &pub_pem);
	gnutls_pubkey_deinit(pub);
	gnutls_privkey_deinit(priv);
	gnutls_x509_privkey_deinit(key);
	if (r < 0) {
		gnutls_free(key_pem.data);
		return tls_err(e, r, "make the statement key");
	}
	r = save(dir, FILE_STATEMENT_KEY, 0600, &key_pem, e);
	if (r < 0)
		gnutls_free(pub_pem.data);
	else
		r = save(dir, FILE_STATEMENT_PUB, 0644, &pub_pem, e);
	return r;
}

int ca_make(const char *dir, const char *cluster, int64_t now, struct err *e)
{
	int r = make_authority(dir, cluster, now, e);

	return r < 0 ? r : make_statement_key(dir, e);
}

static int import_key(const gnutls_datum_t *pem, void *to)
{
	gnutls_privkey_t key, *ret = to;
	int r = gnutls_privkey_init(&key);

	if (r < 0)
		return r;
	r = gnutls_privkey_import_x509_raw(key, pem, GNUTLS_X509_FMT_PEM, NULL, 0);
	if (r < 0)
		gnutls_privkey_deinit(key);
	else
		*ret = key;
	return r;
}

static int import_crt(const gnutls_datum_t *pem, void *to)
{
	gnutls_x509_crt_t crt, *ret = to;
	int r = gnutls_x509_crt_init(&crt);

	if (r < 0)
		return r;
	r = gnutls_x509_crt_import(crt, pem, GNUTLS_X509_FMT_PEM);
	if (r < 0)
		gnutls_x509_crt_deinit(crt);
	else
		*ret = crt;
	return r;
}

static int load(const char *dir, enum file which,
		int (*import)(const gnutls_datum_t *pem, void *to), void *to, struct err *e)
{
	char path[PATH_MAX];
	struct buf b;
	int r;

	file_path(path, dir, which);
	buf_init(&b, KEY_FILE_MAX);
	r = file_read(path, &b, e);
	if (!r) {
		gnutls_datum_t pem = { (uint8_t *)buf_bytes(&b), (unsigned int)b.len };

		r = import(&pem, to);
		r = r < 0 ? tls_err(e, r, path) : 0;
	}
	if (b.data)
		gnutls_memset(b.data, 0, b.cap); /* it may hold a key */
	buf_done(&b);
	return r;
}

int ca_open(const char *dir, struct ca **ret, struct err *e)
{
	struct ca *ca = calloc(1, sizeof(*ca));
	int r;

	if (!ca)
		return err_set(e, -ENOMEM, "out of memory");
	r = load(dir, FILE_CA_KEY, import_key, &ca->key, e);
	if (r >= 0)
		r = load(dir, FILE_STATEMENT_KEY, import_key, &ca->statement_key, e);
	if (r >= 0)
		r = load(dir, FILE_CA_PEM, import_crt, &ca->crt, e);
	if (r < 0) {
		ca_close(ca);
		return r;
	}
	*ret = ca;
	return 0;
}

void ca_close(struct ca *ca)
{
	if (!ca)
		return;
	gnutls_x509_crt_deinit(ca->crt);
	gnutls_privkey_deinit(ca->key);
	gnutls_privkey_deinit(ca->statement_key);
	free(ca);
}

static bool key_allowed(gnutls_pubkey_t key)
{
	gnutls_ecc_curve_t curve;
	int pk = gnutls_pubkey_get_pk_algorithm(key, NULL);

	if (pk == GNUTLS_PK_EDDSA_ED25519)
		return true;
	return pk == GNUTLS_PK_ECDSA &&
	       gnutls_pubkey_export_ecc_raw2(key, &curve, NULL, NULL, 0) >= 0 &&
	       curve == GNUTLS_ECC_CURVE_SECP256R1;
}

/* the public key of a request that passed every check; the caller deinits it */
static int request_key(const void *pem, size_t len, gnutls_pubkey_t *ret,
		       char fingerprint[CA_FINGERPRINT_TEXT], struct err *e)
{
	gnutls_datum_t d = { (void *)pem, (unsigned int)len };
	uint8_t hash[CA_FINGERPRINT_BYTES];
	size_t size = sizeof(hash);
	gnutls_x509_crq_t crq = NULL;
	gnutls_pubkey_t key = NULL;
	int r;

	if (!len || len > CA_REQUEST_MAX)
		return err_set(e, -EINVAL, "a signing request has 1 to %d bytes, this has %zu",
			       CA_REQUEST_MAX, len);
	r = gnutls_x509_crq_init(&crq);
	if (r >= 0)
		r = gnutls_x509_crq_import(crq, &d, GNUTLS_X509_FMT_PEM);
	if (r >= 0)
		r = gnutls_pubkey_init(&key);
	if (r >= 0)
		r = gnutls_pubkey_import_x509_crq(key, crq, 0);
	if (r < 0) {
		r = tls_err(e, r, "not a signing request in PEM form");
	} else if (!key_allowed(key)) {
		/* before the signature is looked at: a huge RSA key costs nothing */
		r = err_set(e, -EINVAL,
			    "the key of a signing request must be ECDSA P-256 or Ed25519");
	} else if (gnutls_x509_crq_verify(crq, 0) < 0) {
		r = err_set(e, -EINVAL, "the signing request is not signed by its own key");
	} else {
		r = gnutls_pubkey_get_key_id(key, GNUTLS_KEYID_USE_SHA256, hash, &size);
		if (r < 0)
			r = tls_err(e, r, "fingerprint of a key");
	}
	gnutls_x509_crq_deinit(crq);
	if (r < 0) {
		gnutls_pubkey_deinit(key);
		return r;
	}
	hex_format(hash, sizeof(hash), fingerprint);
	*ret = key;
	return 0;
}

int ca_check_request(const void *pem, size_t len, char ret[CA_FINGERPRINT_TEXT], struct err *e)
{
	gnutls_pubkey_t key;
	int r = request_key(pem, len, &key, ret, e);

	if (r < 0)
		return r;
	gnutls_pubkey_deinit(key);
	return 0;
}

static int add_address(gnutls_x509_crt_t crt, const char *text)
{
	uint8_t bytes[16];
	unsigned int len = 4;

	if (inet_pton(AF_INET, text, bytes) != 1) {
		if (inet_pton(AF_INET6, text, bytes) != 1)
			return GNUTLS_E_INVALID_REQUEST;
		len = 16;
	}
	return gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_IPADDRESS, bytes, len,
						    GNUTLS_FSAN_APPEND);
}

static int add_names(gnutls_x509_crt_t crt, const struct ca_subject *s)
{
	int r = gnutls_x509_crt_set_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, s->common_name,
					      (unsigned int)strlen(s->common_name));

	for (size_t i = 0; r >= 0 && i < s->n_dns; i++)
		r = gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_DNSNAME, s->dns[i],
							 (unsigned int)strlen(s->dns[i]),
							 GNUTLS_FSAN_APPEND);
	for (size_t i = 0; r >= 0 && i < s->n_addresses; i++)
		r = add_address(crt, s->addresses[i]);
	if (r >= 0 && s->uri)
		r = gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_URI, s->uri,
							 (unsigned int)strlen(s->uri),
							 GNUTLS_FSAN_APPEND);
	return r;
}

static int fill(struct ca *ca, gnutls_x509_crt_t crt, const struct ca_subject *s,
		gnutls_pubkey_t key, const uint8_t serial[CA_SERIAL_BYTES])
{
	uint8_t id[SUBJECT_KEY_ID_MAX];
	size_t id_len = sizeof(id);
	unsigned int critical;
	int r = gnutls_x509_crt_set_version(crt, 3);

	if (r >= 0)
		r = gnutls_x509_crt_set_serial(crt, serial, CA_SERIAL_BYTES);
	if (r >= 0)
		r = add_names(crt, s);
	if (r >= 0)
		r = gnutls_x509_crt_set_pubkey(crt, key);
	if (r >= 0)
		r = gnutls_x509_crt_set_activation_time(crt, s->not_before);
	if (r >= 0)
		r = gnutls_x509_crt_set_expiration_time(crt, s->not_after);
	if (r >= 0)
		r = gnutls_x509_crt_set_basic_constraints(crt, 0, -1);
	if (r >= 0)
		r = gnutls_x509_crt_set_key_usage(crt, GNUTLS_KEY_DIGITAL_SIGNATURE);
	if (r >= 0 && s->client)
		r = gnutls_x509_crt_set_key_purpose_oid(crt, GNUTLS_KP_TLS_WWW_CLIENT, 0);
	if (r >= 0 && s->server)
		r = gnutls_x509_crt_set_key_purpose_oid(crt, GNUTLS_KP_TLS_WWW_SERVER, 0);
	if (r >= 0)
		r = gnutls_x509_crt_get_key_id(crt, 0, id, &id_len);
	if (r >= 0)
		r = gnutls_x509_crt_set_subject_key_id(crt, id, id_len);
	id_len = sizeof(id);
	if (r >= 0)
		r = gnutls_x509_crt_get_subject_key_id(ca->crt, id, &id_len, &critical);
	if (r >= 0)
		r = gnutls_x509_crt_set_authority_key_id(crt, id, id_len);
	return r;
}

int ca_issue(struct ca *ca, const struct ca_subject *subject, const void *pem, size_t len,
	     struct buf *to, struct ca_issued *ret, struct err *e)
{
	uint8_t serial[CA_SERIAL_BYTES];
	gnutls_x509_crt_t crt = NULL;
	gnutls_datum_t out = { 0 };
	struct ca_issued issued = { .not_after = subject->not_after };
	gnutls_pubkey_t key;
	int r = request_key(pem, len, &key, issued.key_fingerprint, e);

	if (r < 0)
		return r;
	make_serial(serial);
	hex_format(serial, sizeof(serial), issued.serial);
	r = gnutls_x509_crt_init(&crt);
	if (r >= 0)
		r = fill(ca, crt, subject, key, serial);
	if (r >= 0)
		r = gnutls_x509_crt_privkey_sign(crt, ca->crt, ca->key, GNUTLS_DIG_SHA256, 0);
	if (r >= 0)
		r = gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, &out);
	gnutls_x509_crt_deinit(crt);
	gnutls_pubkey_deinit(key);
	if (r < 0)
		return tls_err(e, r, "sign a certificate");
	r = buf_put(to, out.data, out.size);
	gnutls_free(out.data);
	if (r < 0)
		return err_set(e, r, "sign a certificate: %s", strerror(-r));
	*ret = issued;
	return 0;
}

int ca_sign_statement(struct ca *ca, const void *p, size_t len, uint8_t ret[CA_SIGNATURE_BYTES],
		      struct err *e)
{
	gnutls_datum_t data = { (void *)p, (unsigned int)len }, sig = { 0 };
	int r = gnutls_privkey_sign_data2(ca->statement_key, GNUTLS_SIGN_EDDSA_ED25519, 0, &data,
					  &sig);

	if (r >= 0 && sig.size != CA_SIGNATURE_BYTES)
		r = GNUTLS_E_INTERNAL_ERROR;
	if (r >= 0)
		memcpy(ret, sig.data, CA_SIGNATURE_BYTES);
	gnutls_free(sig.data);
	return r < 0 ? tls_err(e, r, "sign a statement") : 0;
}
