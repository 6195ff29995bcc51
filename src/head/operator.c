/* SPDX-License-Identifier: GPL-2.0-or-later */
/* operator.c - the operator's credential file */
#include "head/operator.h"

#include <errno.h>
#include <gnutls/crypto.h>
#include <gnutls/x509.h>

#include "net/enroll.h"
#include "net/identity.h"
#include "os/file.h"

#define FILE_BYTES_MAX 65536

int operator_write(const char *path, const char *url, const char *cert, const char *key,
		   const char *ca, struct err *e)
{
	struct buf b;
	int r;

	buf_init(&b, FILE_BYTES_MAX);
	r = buf_printf(&b,
		       "# url %s\n# The operator's credential: who has this file steers the "
		       "cluster.\n%s%s%s",
		       url, cert, key, ca);
	if (!r)
		r = file_write_atomic(path, buf_bytes(&b), b.len, 0600, e);
	else
		(void)err_set(e, r, "write '%s': %s", path, strerror(-r));
	if (b.data)
		gnutls_memset(b.data, 0, b.cap);
	buf_done(&b);
	return r;
}

/* whose it is and when it ends */
static int read_identity(const char *path, struct identity *ret, struct err *e)
{
	gnutls_x509_crt_t crt = NULL;
	gnutls_datum_t der = { 0 };
	struct buf b;
	int r;

	buf_init(&b, FILE_BYTES_MAX);
	r = file_read(path, &b, e);
	if (!r) {
		gnutls_datum_t d = { (uint8_t *)buf_bytes(&b), (unsigned int)b.len };

		r = gnutls_x509_crt_init(&crt);
		if (r >= 0)
			r = gnutls_x509_crt_import(crt, &d, GNUTLS_X509_FMT_PEM);
		if (r >= 0)
			r = gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_DER, &der);
		if (r < 0)
			r = err_set(e, -EINVAL, "'%s': %s", path, gnutls_strerror(r));
		else
			r = identity_of_der(der.data, der.size, ret, e);
		gnutls_free(der.data);
		gnutls_x509_crt_deinit(crt);
	}
	if (b.data)
		gnutls_memset(b.data, 0, b.cap);
	buf_done(&b);
	return r;
}

int operator_renew(const char *path, const char *url, const char *ca, struct sign *s, int64_t now,
		   struct err *e)
{
	struct sign_result res;
	struct buf key, csr;
	struct identity id;
	int r = read_identity(path, &id, e);

	if (r == -ENOENT || (!r && now < id.not_after - OPERATOR_RENEW_DAYS * 24LL * 3600))
		return 0;
	if (r < 0)
		return r;
	buf_init(&key, ENROLL_PEM_MAX);
	buf_init(&csr, ENROLL_PEM_MAX);
	r = enroll_key(&key, e);
	if (!r)
		r = enroll_request(buf_bytes(&key), key.len, &csr, e);
	if (!r)
		r = sign_operator(s, id.role == ROLE_OPERATOR ? id.name : OPERATOR_NAME,
				  buf_text(&csr), &res, e);
	if (!r) {
		r = operator_write(path, url, buf_text(&res.certificate), buf_text(&key), ca, e);
		sign_result_done(&res);
	}
	if (key.data)
		gnutls_memset(key.data, 0, key.cap);
	buf_done(&key);
	buf_done(&csr);
	return r < 0 ? r : 1;
}
