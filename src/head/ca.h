/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ca.h - the cluster's authorities: who signs certificates and statements
 *
 * Two keys, in one directory that only the signer process may read: an ECDSA P-256 authority for
 * certificates and an Ed25519 key for statements (the revocation list). This file knows how to
 * sign; what may be signed, for whom and for how long is decided in signer.c.
 */
#ifndef HEAD_CA_H
#define HEAD_CA_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define CA_REQUEST_MAX	     8192 /* bytes of PEM; a P-256 request has about 400 */
#define CA_CERTIFICATE_MAX   8192 /* bytes of PEM of one certificate */
#define CA_FINGERPRINT_BYTES 32
#define CA_FINGERPRINT_TEXT  (2 * CA_FINGERPRINT_BYTES + 1)
#define CA_SERIAL_BYTES	     16
#define CA_SERIAL_TEXT	     (2 * CA_SERIAL_BYTES + 1)
#define CA_CLUSTER_ID_TEXT   33
#define CA_SIGNATURE_BYTES   64

struct ca;

/* what goes into a certificate; strings are the caller's */
struct ca_subject {
	const char *common_name;
	const char *uri;	      /* identity, NULL for none */
	const char *const *dns;	      /* n_dns names */
	const char *const *addresses; /* n_addresses, each an IPv4 or IPv6 address as text */
	size_t n_dns, n_addresses;
	bool client, server; /* extended key usages */
	int64_t not_before, not_after;
};

struct ca_issued {
	char serial[CA_SERIAL_TEXT];
	char key_fingerprint[CA_FINGERPRINT_TEXT];
	int64_t not_after;
};

/**
 * ca_make() - Make both keys and the authority's certificate
 * @dir:	Existing, empty directory; gets ca.key, ca.pem, statement.key, statement.pub
 * @cluster:	The cluster's name, for the certificate's subject
 * @now:	Seconds since 1970
 * @e:		Reason; the caller removes the directory
 *
 * Return: 0 or -errno
 */
int ca_make(const char *dir, const char *cluster, int64_t now, struct err *e) MUST_CHECK;

/** ca_open() - Load what ca_make() made; *ret is ended with ca_close() */
int ca_open(const char *dir, struct ca **ret, struct err *e) MUST_CHECK;
void ca_close(struct ca *ca);

/**
 * ca_check_request() - Is this a signing request that we would sign?
 * @pem, @len:	Hostile bytes
 * @ret:	SHA-256 of the public key (SPKI), in hex
 * @e:		Reason, for the one who asks
 *
 * Taken: one PEM request, at most CA_REQUEST_MAX bytes, P-256 or Ed25519, signed by its own key.
 *
 * Return: 0 or -EINVAL
 */
int ca_check_request(const void *pem, size_t len, char ret[CA_FINGERPRINT_TEXT], struct err *e)
	MUST_CHECK;

/**
 * ca_issue() - Sign a certificate for the public key of a request
 * @ca:		The authority
 * @subject:	Whom it names; nothing of the request but its public key is used
 * @pem, @len:	The request, checked again here
 * @to:		The certificate's PEM text is appended
 * @ret:	Serial number and the like
 * @e:		Reason
 *
 * Return: 0, -EINVAL for a bad request, other -errno
 */
int ca_issue(struct ca *ca, const struct ca_subject *subject, const void *pem, size_t len,
	     struct buf *to, struct ca_issued *ret, struct err *e) MUST_CHECK;

/** ca_sign_statement() - Ed25519 over the bytes */
int ca_sign_statement(struct ca *ca, const void *p, size_t len, uint8_t ret[CA_SIGNATURE_BYTES],
		      struct err *e) MUST_CHECK;

#endif
