/* SPDX-License-Identifier: GPL-2.0-or-later */
/* enroll.c - a machine's own key and its signing request */
#include "net/enroll.h"

#include <errno.h>
#include <gnutls/abstract.h>
#include <gnutls/x509.h>

#include "base/parse.h"

static int tls_err(struct err *e, int r, const char *what)
{
	return err_set(e, r == GNUTLS_E_MEMORY_ERROR ? -ENOMEM : -EINVAL, "%s: %s", what,
		       gnutls_strerror(r));
}

/* @d is freed here */
static int append(struct buf *to, gnutls_datum_t *d, struct err *e)
{
	int r = buf_put(to, d->data, d->size);

	gnutls_memset(d->data, 0, d->size); /* it may be a private key */
	gnutls_free(d->data);
	d->data = NULL;
	return r < 0 ? err_set(e, r, "PEM text: %s", strerror(-r)) : 0;
}

int enroll_key(struct buf *to, struct err *e)
{
	gnutls_x509_privkey_t key;
	gnutls_datum_t pem;
	int r = gnutls_x509_privkey_init(&key);

	if (r < 0)
		return tls_err(e, r, "make a key");
	r = gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA,
					 GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0);
	if (r >= 0)
		r = gnutls_x509_privkey_export2_pkcs8(key, GNUTLS_X509_FMT_PEM, NULL,
						      GNUTLS_PKCS_PLAIN, &pem);
	gnutls_x509_privkey_deinit(key);
	if (r < 0)
		return tls_err(e, r, "make a key");
	return append(to, &pem, e);
}

/* the caller ends it with gnutls_x509_privkey_deinit() */
static int import_key(const void *pem, size_t len, gnutls_x509_privkey_t *ret, struct err *e)
{
	gnutls_datum_t d = { (void *)pem, (unsigned int)len };
	gnutls_x509_privkey_t key;
	int r = gnutls_x509_privkey_init(&key);

	if (r < 0)
		return tls_err(e, r, "read a key");
	r = gnutls_x509_privkey_import2(key, &d, GNUTLS_X509_FMT_PEM, NULL, GNUTLS_PKCS_PLAIN);
	if (r < 0) {
		gnutls_x509_privkey_deinit(key);
		return tls_err(e, r, "not a private key");
	}
	*ret = key;
	return 0;
}

int enroll_request(const void *key_pem, size_t len, struct buf *to, struct err *e)
{
	gnutls_x509_privkey_t key;
	gnutls_x509_crq_t crq = NULL;
	gnutls_datum_t pem;
	int r = import_key(key_pem, len, &key, e);

	if (r < 0)
		return r;
	r = gnutls_x509_crq_init(&crq);
	if (r >= 0)
		r = gnutls_x509_crq_set_version(crq, 1);
	if (r >= 0)
		r = gnutls_x509_crq_set_key(crq, key);
	if (r >= 0)
		r = gnutls_x509_crq_sign2(crq, key, GNUTLS_DIG_SHA256, 0);
	if (r >= 0)
		r = gnutls_x509_crq_export2(crq, GNUTLS_X509_FMT_PEM, &pem);
	gnutls_x509_crq_deinit(crq);
	gnutls_x509_privkey_deinit(key);
	if (r < 0)
		return tls_err(e, r, "make a signing request");
	return append(to, &pem, e);
}

int enroll_key_fingerprint(const void *key_pem, size_t len, char ret[ENROLL_FINGERPRINT_TEXT],
			   struct err *e)
{
	uint8_t hash[ENROLL_FINGERPRINT_BYTES];
	size_t size = sizeof(hash);
	gnutls_x509_privkey_t key;
	int r = import_key(key_pem, len, &key, e);

	if (r < 0)
		return r;
	r = gnutls_x509_privkey_get_key_id(key, GNUTLS_KEYID_USE_SHA256, hash, &size);
	gnutls_x509_privkey_deinit(key);
	if (r < 0)
		return tls_err(e, r, "fingerprint of a key");
	hex_format(hash, sizeof(hash), ret);
	return 0;
}

int enroll_cert_fingerprint(const void *pem, size_t len, char ret[ENROLL_FINGERPRINT_TEXT],
			    struct err *e)
{
	gnutls_datum_t d = { (void *)pem, (unsigned int)len };
	uint8_t hash[ENROLL_FINGERPRINT_BYTES];
	size_t size = sizeof(hash);
	gnutls_x509_crt_t crt;
	int r = gnutls_x509_crt_init(&crt);

	if (r < 0)
		return tls_err(e, r, "read a certificate");
	r = gnutls_x509_crt_import(crt, &d, GNUTLS_X509_FMT_PEM);
	if (r >= 0)
		r = gnutls_x509_crt_get_fingerprint(crt, GNUTLS_DIG_SHA256, hash, &size);
	gnutls_x509_crt_deinit(crt);
	if (r < 0)
		return tls_err(e, r, "not a certificate");
	hex_format(hash, sizeof(hash), ret);
	return 0;
}
