/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tls.h - one TLS 1.3 session between two nodes, without any input or output
 *
 * Theory of operation. A session is two byte pipes of ciphertext: what came from the peer is put
 * into tls_in(), what must go to the peer is taken from tls_out(). So the same session runs over a
 * socket or inside the stream of another session (a relayed node). Both sides show a certificate of
 * the cluster; who the other is, is known when tls_handshake() returns 1 and not before. TLS 1.3
 * only, ALPN comosix/1, no tickets, no early data, no renegotiation.
 *
 * A client's handshake is done before the server has looked at its certificate: the first answer of
 * the server's program tells that it was taken.
 */
#ifndef NET_TLS_H
#define NET_TLS_H

#include <gnutls/x509.h>

#include "base/buf.h"
#include "net/identity.h"

#define TLS_RECORD_MAX	16384
#define TLS_OUT_MAX	(1U << 20)
#define TLS_EXPORT_PAIR "EXPORTER-comosix-pair"
#define TLS_EXPORT_MOVE "EXPORTER-comosix-move"
#define TLS_MOVE_KEY	32

struct tls;

/* our key, certificate and authority; shared by the sessions made from it */
struct tls_creds;

/**
 * tls_creds_load() - Read key.pem, cert.pem and ca.pem
 * @dir:	State directory of the node
 * @ret:	Set on success; ended with tls_creds_unref()
 * @e:		Reason, says which file and what to do
 *
 * The certificate must be the key's, be issued by the authority and hold an identity; it may have
 * run out (the node must come up to renew it).
 *
 * Return: 0 or -errno
 */
int tls_creds_load(const char *dir, struct tls_creds **ret, struct err *e) MUST_CHECK;
struct tls_creds *tls_creds_ref(struct tls_creds *c);
void tls_creds_unref(struct tls_creds *c);

/** tls_creds_self() - Who we are */
const struct identity *tls_creds_self(const struct tls_creds *c);

/** tls_creds_authorities() - Who issues certificates here; good as long as the credentials */
void tls_creds_authorities(const struct tls_creds *c, gnutls_x509_crt_t const **ret,
			   unsigned int *ret_n);

/**
 * typedef tls_check_fn - The owner's last word about a peer whose certificate is good
 *
 * Called inside the handshake. Return 0, or -errno with a reason: the handshake fails.
 */
typedef int tls_check_fn(void *owner, const struct identity *peer, struct err *e);

int tls_new(struct tls_creds *c, bool client, tls_check_fn *check, void *owner, struct tls **ret,
	    struct err *e) MUST_CHECK;
void tls_free(struct tls *t);

/** tls_in() - Put ciphertext from the peer here */
struct buf *tls_in(struct tls *t);

/** tls_idle() - Is nothing of the peer's waiting: no ciphertext, half a record, decrypted bytes? */
bool tls_idle(const struct tls *t);

/** tls_in_end() - No more ciphertext will come */
void tls_in_end(struct tls *t);

/** tls_out() - Take ciphertext for the peer from here; after a failure too: there may be an alert
 */
struct buf *tls_out(struct tls *t);

/**
 * tls_handshake() - Go on with the handshake
 *
 * Return: 1 done, 0 more bytes from the peer are wanted, -errno it failed
 */
int tls_handshake(struct tls *t, struct err *e) MUST_CHECK;

/**
 * tls_read() - Decrypt what is there
 * @t:		A session whose handshake is done
 * @to:		Appended to, up to its limit
 * @e:		Reason
 *
 * Return: 1 bytes were appended, 0 nothing now, -ENODATA the peer ended its half in order, other
 * -errno the session is broken (a transport that ended without the peer's word is -EPIPE)
 */
int tls_read(struct tls *t, struct buf *to, struct err *e) MUST_CHECK;

/** tls_write() - Encrypt up to TLS_RECORD_MAX bytes; the caller keeps tls_out() short */
int tls_write(struct tls *t, const void *p, size_t n, struct err *e) MUST_CHECK;

/** tls_end() - Tell the peer that nothing more will be written */
void tls_end(struct tls *t);

/** tls_peer() - Who the other is; only after the handshake */
const struct identity *tls_peer(const struct tls *t);

/** tls_export() - Key material that only the two ends know (RFC 8446 7.5) */
int tls_export(struct tls *t, const char *label, uint8_t *ret, size_t n, struct err *e) MUST_CHECK;

#endif
