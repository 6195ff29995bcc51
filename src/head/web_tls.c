/* SPDX-License-Identifier: GPL-2.0-or-later */
/* web_tls.c - the HTTPS side of the web process: our certificate, and who the client is */
#include "head/web_tls.h"

#include <errno.h>
#include <gnutls/x509.h>

#include "log/log.h"
#include "net/enroll.h"
#include "os/clock.h"

#define USE_EVERY_S 60

static int get_certificate(struct web_tls *t, struct sign *s, struct err *e)
{
	struct sign_result res;
	gnutls_pcert_st cert;
	gnutls_datum_t pem;
	int r;

	if (t->n_certs == WEB_TLS_KEPT)
		return err_set(e, -ENOSPC,
			       "restart comosix-headd: its HTTPS certificate cannot be "
			       "renewed once more");
	r = sign_https(s, buf_text(&t->csr), &res, e);
	if (r < 0)
		return err_prefix(e, "HTTPS certificate");
	pem = (gnutls_datum_t){ (uint8_t *)buf_bytes(&res.certificate),
				(unsigned int)res.certificate.len };
	r = gnutls_pcert_import_x509_raw(&cert, &pem, GNUTLS_X509_FMT_PEM, 0);
	if (r >= 0) {
		pthread_mutex_lock(&t->lock);
		t->certs[t->n_certs++] = cert;
		t->not_after = res.issued.not_after;
		pthread_mutex_unlock(&t->lock);
	}
	sign_result_done(&res);
	return r < 0 ? err_set(e, -EINVAL, "HTTPS certificate: %s", gnutls_strerror(r)) : 0;
}

int web_tls_open(struct web_tls *t, struct sign *s, struct err *e)
{
	gnutls_datum_t d;
	struct buf key;
	int r;

	*t = (struct web_tls){ 0 };
	pthread_mutex_init(&t->lock, NULL);
	buf_init(&key, ENROLL_PEM_MAX);
	buf_init(&t->csr, ENROLL_PEM_MAX);
	r = enroll_key(&key, e);
	if (!r)
		r = enroll_request(buf_bytes(&key), key.len, &t->csr, e);
	if (!r) {
		d = (gnutls_datum_t){ (uint8_t *)buf_bytes(&key), (unsigned int)key.len };
		r = gnutls_privkey_init(&t->key);
		if (r >= 0)
			r = gnutls_privkey_import_x509_raw(t->key, &d, GNUTLS_X509_FMT_PEM, NULL,
							   0);
		if (r < 0)
			r = err_set(e, -EINVAL, "HTTPS key: %s", gnutls_strerror(r));
	}
	if (key.data)
		gnutls_memset(key.data, 0, key.cap);
	buf_done(&key);
	if (!r)
		r = get_certificate(t, s, e);
	if (r < 0)
		web_tls_close(t);
	return r;
}

int web_tls_renew(struct web_tls *t, struct sign *s, int64_t now, struct err *e)
{
	if (now + WEB_TLS_RENEW_BEFORE_S < t->not_after)
		return 0;
	return get_certificate(t, s, e);
}

void web_tls_close(struct web_tls *t)
{
	for (unsigned int i = 0; i < t->n_certs; i++)
		gnutls_pcert_deinit(&t->certs[i]);
	gnutls_privkey_deinit(t->key);
	buf_done(&t->csr);
	pthread_mutex_destroy(&t->lock);
}

void web_tls_give(struct web_tls *t, gnutls_pcert_st **cert, unsigned int *n, gnutls_privkey_t *key)
{
	pthread_mutex_lock(&t->lock);
	*cert = &t->certs[t->n_certs - 1];
	*n = 1;
	*key = t->key;
	pthread_mutex_unlock(&t->lock);
}

static bool still_member(struct api *a, const struct identity *id, struct err *e)
{
	struct store_node n;
	int r = store_begin(a->store, e);

	if (r < 0)
		return false;
	r = store_node_by_id(a->store, id->id, &n, e);
	store_rollback(a->store);
	if (r < 0)
		return false;
	if (strcmp(n.name, id->name) != 0 || strcmp(n.role, role_name(id->role)) != 0 ||
	    strcmp(n.state, "active") != 0) {
		(void)err_set(e, -EPERM, "node '%s' is no member any more", id->name);
		return false;
	}
	return true;
}

/* for the list of credentials; one that is in use all the time is written down once a minute */
static void note_use(struct api *a, const char *serial)
{
	int64_t now = clock_wall_s(), last = 0;
	struct err e = { 0 };
	int r = store_begin(a->store, &e);

	if (r < 0)
		return;
	r = store_operator_use(a->store, serial, &last, &e);
	if (!r && now >= last && now < last + USE_EVERY_S) {
		store_rollback(a->store);
		return;
	}
	if (!r)
		r = store_operator_used(a->store, serial, now, &e);
	if (!r)
		r = store_commit(a->store, &e);
	else
		store_rollback(a->store);
	if (r < 0) /* a full disk is no reason to keep the operator out */
		log_debug("the use of credential %s is not written down: %s", serial, e.text);
}

static bool still_operator(struct api *a, const struct identity *id, struct err *e)
{
	if (operators_revoked(&a->operators, id->serial)) {
		(void)err_set(e, -EPERM,
			      "the operator's credential shown (%s) was revoked; make another on "
			      "the head with 'comosix-headd operator'",
			      id->serial);
		return false;
	}
	note_use(a, id->serial);
	return true;
}

enum caller web_tls_caller(struct api *a, gnutls_session_t session, struct identity *ret,
			   struct err *e)
{
	gnutls_typed_vdata_st purpose = { .type = GNUTLS_DT_KEY_PURPOSE_OID,
					  .data = (unsigned char *)GNUTLS_KP_TLS_WWW_CLIENT };
	unsigned int n = 0, status = 0;
	const gnutls_datum_t *chain = gnutls_certificate_get_peers(session, &n);

	if (!chain || !n)
		return CALLER_NONE;
	if (gnutls_certificate_verify_peers(session, &purpose, 1, &status) < 0 || status) {
		(void)err_set(e, -EPERM, "%s",
			      status & GNUTLS_CERT_EXPIRED
				      ? "the certificate shown has expired"
				      : "the certificate shown is not of this cluster");
		return CALLER_NONE;
	}
	if (identity_of_der(chain[0].data, chain[0].size, ret, e) < 0)
		return CALLER_NONE;
	if (strcmp(ret->cluster, a->cluster->id) != 0) {
		(void)err_set(e, -EPERM, "the certificate shown is of another cluster");
		return CALLER_NONE;
	}
	if (ret->role == ROLE_OPERATOR)
		return still_operator(a, ret, e) ? CALLER_OPERATOR : CALLER_NONE;
	return still_member(a, ret, e) ? CALLER_NODE : CALLER_NONE;
}
