/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tls.c - one TLS 1.3 session between two nodes, without any input or output */
#include "net/tls.h"

#include <assert.h>
#include <errno.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <limits.h>

#include "os/clock.h"
#include "os/file.h"

#define PRIORITY                                                                                   \
	"NONE:+VERS-TLS1.3:+AES-128-GCM:+AES-256-GCM:+CHACHA20-POLY1305:+AEAD:+SHA256:+SHA384:"    \
	"+GROUP-X25519:+GROUP-SECP256R1:+SIGN-ECDSA-SECP256R1-SHA256:+SIGN-EDDSA-ED25519:"         \
	"+CTYPE-X509:+ECDHE-ECDSA"
#define PEM_MAX	      65536
#define HANDSHAKE_MAX 16384 /* one message of a peer that nobody knows yet */
#define IN_MAX	      (1U << 20)
#define TLS_HEADER    5 /* of a record, RFC 8446 5.1: type, version, length */

static const gnutls_datum_t alpn = { .data = (unsigned char *)"comosix/1", .size = 9 };

struct tls_creds {
	unsigned int refs;
	gnutls_certificate_credentials_t cred;
	gnutls_x509_crt_t *authorities;
	unsigned int n_authorities;
	gnutls_priority_t priority;
	struct identity self;
};

struct tls {
	gnutls_session_t s;
	struct tls_creds *creds;
	bool client, in_ended, peer_ended, out_ended, done;
	tls_check_fn *check;
	void *owner;
	struct identity peer;
	struct err why; /* why the peer was not taken */
	uint8_t header[TLS_HEADER];
	size_t n_header; /* of the record that GnuTLS is pulling */
	size_t rest;	 /* of its body */
	struct buf in, out;
};

/* ---- credentials ---- */

struct tls_creds *tls_creds_ref(struct tls_creds *c)
{
	c->refs++;
	return c;
}

void tls_creds_unref(struct tls_creds *c)
{
	if (!c || --c->refs)
		return;
	if (c->cred)
		gnutls_certificate_free_credentials(c->cred);
	for (unsigned int i = 0; i < c->n_authorities; i++)
		gnutls_x509_crt_deinit(c->authorities[i]);
	gnutls_free(c->authorities);
	if (c->priority)
		gnutls_priority_deinit(c->priority);
	free(c);
}

const struct identity *tls_creds_self(const struct tls_creds *c)
{
	return &c->self;
}

static int read_pem(const char *dir, const char *name, struct buf *to, struct err *e)
{
	char path[PATH_MAX];

	buf_init(to, PEM_MAX);
	(void)snprintf(path, sizeof(path), "%s/%s", dir, name); /* too long: not found below */
	return file_read(path, to, e);
}

static gnutls_datum_t datum_of(const struct buf *b)
{
	return (gnutls_datum_t){ .data = (unsigned char *)buf_bytes(b),
				 .size = (unsigned int)b->len };
}

/* our own certificate must be of use before anybody else sees it */
static int check_own(struct tls_creds *c, struct err *e)
{
	gnutls_datum_t der;
	unsigned int status = 0;
	gnutls_x509_crt_t crt;
	int r = gnutls_certificate_get_crt_raw(c->cred, 0, 0, &der);

	if (r < 0)
		return err_set(e, -EINVAL, "cert.pem: %s", gnutls_strerror(r));
	r = identity_of_der(der.data, der.size, &c->self, e);
	if (r < 0)
		return err_prefix(e, "cert.pem");
	r = gnutls_x509_crt_init(&crt);
	if (r < 0)
		return err_set(e, -ENOMEM, "out of memory");
	r = gnutls_x509_crt_import(crt, &der, GNUTLS_X509_FMT_DER);
	if (r >= 0)
		r = gnutls_x509_crt_verify(crt, c->authorities, (int)c->n_authorities,
					   GNUTLS_VERIFY_DISABLE_TIME_CHECKS, &status);
	gnutls_x509_crt_deinit(crt);
	if (r < 0 || status)
		return err_set(e, -EINVAL, "cert.pem was not issued by ca.pem; join again");
	return 0;
}

static int fill_creds(struct tls_creds *c, const struct buf *key, const struct buf *cert,
		      const struct buf *ca, struct err *e)
{
	gnutls_datum_t k = datum_of(key), crt = datum_of(cert), a = datum_of(ca);
	const char *at = NULL;
	int r = gnutls_priority_init(&c->priority, PRIORITY, &at);

	if (r < 0)
		return err_set(e, -ENOTSUP, "this GnuTLS refuses '%s': %s", at ? at : PRIORITY,
			       gnutls_strerror(r));
	r = gnutls_certificate_allocate_credentials(&c->cred);
	if (r < 0)
		return err_set(e, -ENOMEM, "%s", gnutls_strerror(r));
	r = gnutls_certificate_set_x509_trust_mem(c->cred, &a, GNUTLS_X509_FMT_PEM);
	if (r > 0)
		r = gnutls_x509_crt_list_import2(&c->authorities, &c->n_authorities, &a,
						 GNUTLS_X509_FMT_PEM, 0);
	if (r < 0 || !c->n_authorities)
		return err_set(e, -EINVAL, "ca.pem holds no authority; join again");
	r = gnutls_certificate_set_x509_key_mem(c->cred, &crt, &k, GNUTLS_X509_FMT_PEM);
	if (r < 0)
		return err_set(e, -EINVAL, "key.pem and cert.pem do not fit together: %s",
			       gnutls_strerror(r));
	return check_own(c, e);
}

static int session_check(gnutls_session_t s);

int tls_creds_load(const char *dir, struct tls_creds **ret, struct err *e)
{
	struct tls_creds *c = calloc(1, sizeof(*c));
	struct buf key, cert, ca;
	int r;

	if (!c)
		return err_set(e, -ENOMEM, "out of memory");
	c->refs = 1;
	r = read_pem(dir, "key.pem", &key, e);
	if (!r) {
		r = read_pem(dir, "cert.pem", &cert, e);
		if (!r) {
			r = read_pem(dir, "ca.pem", &ca, e);
			if (!r)
				r = fill_creds(c, &key, &cert, &ca, e);
			buf_done(&ca);
		}
		buf_done(&cert);
	}
	if (key.data)
		explicit_bzero(key.data, key.cap);
	buf_done(&key);
	if (r < 0) {
		tls_creds_unref(c);
		return r;
	}
	gnutls_certificate_set_verify_function(c->cred, session_check);
	*ret = c;
	return 0;
}

void tls_creds_authorities(const struct tls_creds *c, gnutls_x509_crt_t const **ret,
			   unsigned int *ret_n)
{
	*ret = c->authorities;
	*ret_n = c->n_authorities;
}

/* ---- the peer ---- */

static const struct {
	unsigned int status;
	gnutls_alert_description_t alert;
	const char *text;
} refusals[] = {
	{ GNUTLS_CERT_EXPIRED, GNUTLS_A_CERTIFICATE_EXPIRED, "its certificate has expired" },
	{ GNUTLS_CERT_NOT_ACTIVATED, GNUTLS_A_CERTIFICATE_EXPIRED,
	  "its certificate is not yet valid; check the clocks" },
	{ GNUTLS_CERT_SIGNER_NOT_FOUND | GNUTLS_CERT_SIGNATURE_FAILURE, GNUTLS_A_UNKNOWN_CA,
	  "its certificate is not of our authority" },
	{ GNUTLS_CERT_PURPOSE_MISMATCH, GNUTLS_A_CERTIFICATE_UNKNOWN,
	  "its certificate is not for this purpose" },
	{ ~0U, GNUTLS_A_BAD_CERTIFICATE, "its certificate is bad" },
};

static int refuse(struct tls *t, gnutls_alert_description_t alert)
{
	/* best effort: the peer learns why; the failure itself is reported by the handshake */
	(void)gnutls_alert_send(t->s, GNUTLS_AL_FATAL, alert);
	return GNUTLS_E_CERTIFICATE_ERROR;
}

/* called by GnuTLS in mid-handshake, with the peer's certificate and proof of its key to follow */
static int session_check(gnutls_session_t s)
{
	struct tls *t = gnutls_session_get_ptr(s);
	gnutls_typed_vdata_st purpose = {
		.type = GNUTLS_DT_KEY_PURPOSE_OID,
		.data = (unsigned char *)(t->client ? GNUTLS_KP_TLS_WWW_SERVER
						    : GNUTLS_KP_TLS_WWW_CLIENT),
	};
	unsigned int status = 0, n = 0;
	const gnutls_datum_t *certs = gnutls_certificate_get_peers(s, &n);
	int r;

	if (!certs || !n) {
		(void)err_set(&t->why, -EACCES, "it showed no certificate");
		return refuse(t, GNUTLS_A_CERTIFICATE_REQUIRED);
	}
	if (gnutls_certificate_verify_peers(s, &purpose, 1, &status) < 0)
		status = ~0U;
	for (size_t i = 0; status && i < ARRAY_LEN(refusals); i++)
		if (status & refusals[i].status) {
			(void)err_set(&t->why, -EACCES, "%s", refusals[i].text);
			return refuse(t, refusals[i].alert);
		}
	r = identity_of_der(certs[0].data, certs[0].size, &t->peer, &t->why);
	if (!r && t->peer.role == ROLE_OPERATOR)
		r = err_set(&t->why, -EACCES, "an operator's certificate is no node's");
	if (!r && strcmp(t->peer.cluster, t->creds->self.cluster) != 0)
		r = err_set(&t->why, -EACCES, "it is of another cluster");
	if (r < 0)
		return refuse(t, GNUTLS_A_BAD_CERTIFICATE);
	if (t->check && t->check(t->owner, &t->peer, &t->why) < 0)
		return refuse(t, GNUTLS_A_CERTIFICATE_REVOKED);
	return 0;
}

/* ---- the session ---- */

/* GnuTLS keeps half a record to itself and does not tell; see tls_idle() */
static void follow_records(struct tls *t, const uint8_t *p, size_t n)
{
	while (n) {
		size_t step = t->rest < n ? t->rest : n;

		if (!step) {
			t->header[t->n_header++] = *p;
			step = 1;
			if (t->n_header == TLS_HEADER) {
				t->n_header = 0;
				t->rest = (size_t)t->header[3] << 8 | t->header[4];
			}
		} else {
			t->rest -= step;
		}
		p += step;
		n -= step;
	}
}

static ssize_t pull(gnutls_transport_ptr_t p, void *to, size_t n)
{
	struct tls *t = p;

	if (!t->in.len) {
		if (t->in_ended)
			return 0;
		gnutls_transport_set_errno(t->s, EAGAIN);
		return -1;
	}
	n = n < t->in.len ? n : t->in.len;
	memcpy(to, buf_bytes(&t->in), n);
	follow_records(t, to, n);
	buf_eat(&t->in, n);
	return (ssize_t)n;
}

static ssize_t push(gnutls_transport_ptr_t p, const void *from, size_t n)
{
	struct tls *t = p;

	if (buf_put(&t->out, from, n) < 0) {
		gnutls_transport_set_errno(t->s, ENOMEM);
		return -1;
	}
	return (ssize_t)n;
}

static int always_ready(gnutls_transport_ptr_t p, unsigned int ms)
{
	return 1;
}

int tls_new(struct tls_creds *c, bool client, tls_check_fn *check, void *owner, struct tls **ret,
	    struct err *e)
{
	struct tls *t = calloc(1, sizeof(*t));
	unsigned int flags = GNUTLS_NONBLOCK | GNUTLS_NO_TICKETS | GNUTLS_NO_SIGNAL;
	int r;

	if (!t)
		return err_set(e, -ENOMEM, "out of memory");
	t->client = client;
	t->check = check;
	t->owner = owner;
	t->creds = tls_creds_ref(c);
	buf_init(&t->in, IN_MAX);
	buf_init(&t->out, TLS_OUT_MAX);
	r = gnutls_init(&t->s, flags | (client ? GNUTLS_CLIENT : GNUTLS_SERVER));
	if (r >= 0)
		r = gnutls_priority_set(t->s, c->priority);
	if (r >= 0)
		r = gnutls_credentials_set(t->s, GNUTLS_CRD_CERTIFICATE, c->cred);
	if (r >= 0)
		r = gnutls_alpn_set_protocols(t->s, &alpn, 1, GNUTLS_ALPN_MANDATORY);
	if (r < 0) {
		tls_free(t);
		return err_set(e, -ENOMEM, "TLS: %s", gnutls_strerror(r));
	}
	if (!client)
		gnutls_certificate_server_set_request(t->s, GNUTLS_CERT_REQUIRE);
	gnutls_session_set_ptr(t->s, t);
	gnutls_transport_set_ptr(t->s, t);
	gnutls_transport_set_pull_function(t->s, pull);
	gnutls_transport_set_pull_timeout_function(t->s, always_ready);
	gnutls_transport_set_push_function(t->s, push);
	gnutls_handshake_set_max_packet_length(t->s, HANDSHAKE_MAX);
	gnutls_handshake_set_timeout(t->s, 0); /* the connection has its own deadline */
	*ret = t;
	return 0;
}

void tls_free(struct tls *t)
{
	if (!t)
		return;
	if (t->s)
		gnutls_deinit(t->s);
	tls_creds_unref(t->creds);
	buf_done(&t->in);
	buf_done(&t->out);
	free(t);
}

struct buf *tls_in(struct tls *t)
{
	return &t->in;
}

bool tls_idle(const struct tls *t)
{
	return !t->in.len && !t->n_header && !t->rest && !gnutls_record_check_pending(t->s);
}

void tls_in_end(struct tls *t)
{
	t->in_ended = true;
}

struct buf *tls_out(struct tls *t)
{
	return &t->out;
}

/* what a failed call means, for a person who reads the log */
static int failed(struct tls *t, int r, struct err *e)
{
	if (t->why.code)
		return err_set(e, t->why.code, "%s", t->why.text);
	if (r == GNUTLS_E_FATAL_ALERT_RECEIVED || r == GNUTLS_E_WARNING_ALERT_RECEIVED)
		return err_set(e, -ECONNREFUSED, "the peer refused: %s",
			       gnutls_alert_get_name(gnutls_alert_get(t->s)));
	if (r == GNUTLS_E_PREMATURE_TERMINATION || r == GNUTLS_E_PULL_ERROR)
		return err_set(e, -EPIPE, "the peer vanished in the middle of a session");
	return err_set(e, -EPROTO, "not our TLS: %s", gnutls_strerror(r));
}

int tls_handshake(struct tls *t, struct err *e)
{
	gnutls_datum_t proto;
	int r;

	if (t->done)
		return 1;
	do
		r = gnutls_handshake(t->s);
	while (r < 0 && r != GNUTLS_E_AGAIN && !gnutls_error_is_fatal(r));
	if (r == GNUTLS_E_AGAIN)
		return 0;
	if (r < 0) {
		/* tells the peer; why it failed is in r and must survive */
		if (!t->why.code)
			(void)gnutls_alert_send_appropriate(t->s, r);
		return failed(t, r, e);
	}
	if (gnutls_alpn_get_selected_protocol(t->s, &proto) < 0)
		return err_set(e, -EPROTO, "the peer does not speak comosix/1");
	t->done = true;
	return 1;
}

int tls_read(struct tls *t, struct buf *to, struct err *e)
{
	bool any = false;

	assert(t->done);
	for (;;) {
		size_t room = to->max - to->len;
		uint8_t *p;
		ssize_t n;
		int r;

		if (t->peer_ended)
			return any ? 1 : -ENODATA;
		room = room < TLS_RECORD_MAX ? room : TLS_RECORD_MAX;
		if (!room)
			return any;
		if (!gnutls_record_check_pending(t->s) && !t->in.len && !t->in_ended)
			return any;
		r = buf_room(to, room, &p);
		if (r < 0)
			return err_set(e, r, "receive: %s", strerror(-r));
		n = gnutls_record_recv(t->s, p, room);
		if (n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED)
			return any;
		if (n < 0 && !gnutls_error_is_fatal((int)n))
			continue;
		if (n < 0)
			return failed(t, (int)n, e);
		if (!n)
			t->peer_ended = true;
		buf_grow(to, (size_t)n);
		any |= n > 0;
	}
}

int tls_write(struct tls *t, const void *p, size_t n, struct err *e)
{
	ssize_t w;

	assert(t->done && !t->out_ended && n <= TLS_RECORD_MAX);
	w = gnutls_record_send(t->s, p, n);
	if (w < 0)
		return failed(t, (int)w, e);
	assert((size_t)w == n); /* push() takes all or fails */
	return 0;
}

void tls_end(struct tls *t)
{
	if (!t->done || t->out_ended)
		return;
	t->out_ended = true;
	/* push() takes all; without memory the peer sees a vanished session instead */
	(void)gnutls_bye(t->s, GNUTLS_SHUT_WR);
}

const struct identity *tls_peer(const struct tls *t)
{
	assert(t->done);
	return &t->peer;
}

int tls_export(struct tls *t, const char *label, uint8_t *ret, size_t n, struct err *e)
{
	int r = gnutls_prf_rfc5705(t->s, strlen(label), label, 0, NULL, n, (char *)ret);

	if (r < 0)
		return err_set(e, -EPROTO, "no exporter: %s", gnutls_strerror(r));
	return 0;
}
