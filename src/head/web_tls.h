/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * web_tls.h - the HTTPS side of the web process: our certificate, and who the client is
 *
 * The key of the HTTPS certificate is made in memory when the process starts and is on no disk;
 * the signer certifies it for the names that `comosix init` wrote down. The certificate is renewed
 * long before its end; connections under way keep the old one.
 */
#ifndef HEAD_WEB_TLS_H
#define HEAD_WEB_TLS_H

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <pthread.h>

#include "head/api.h"

#define WEB_TLS_KEPT	       64 /* certificates of one process's life, 20 days each */
#define WEB_TLS_RENEW_BEFORE_S (10 * 24 * 3600)

struct web_tls {
	pthread_mutex_t lock;
	gnutls_privkey_t key;
	gnutls_pcert_st certs[WEB_TLS_KEPT]; /* the last is used; earlier ones may be in use */
	unsigned int n_certs;
	struct buf csr;
	int64_t not_after;
};

/** web_tls_open() - Make the key and get its first certificate */
int web_tls_open(struct web_tls *t, struct sign *s, struct err *e) MUST_CHECK;

/** web_tls_renew() - Get a new certificate when the end is near */
int web_tls_renew(struct web_tls *t, struct sign *s, int64_t now, struct err *e) MUST_CHECK;
void web_tls_close(struct web_tls *t);

/** web_tls_give() - The current certificate, in the form of a gnutls retrieve function */
void web_tls_give(struct web_tls *t, gnutls_pcert_st **cert, unsigned int *n,
		  gnutls_privkey_t *key);

/**
 * web_tls_caller() - Who is at the other end?
 * @a:		The API: its cluster, its nodes
 * @session:	After the handshake
 * @ret:	Set unless CALLER_NONE
 * @e:		Why a certificate that was shown does not count; untouched when none was shown
 *
 * Return: the caller
 */
enum caller web_tls_caller(struct api *a, gnutls_session_t session, struct identity *ret,
			   struct err *e);

#endif
