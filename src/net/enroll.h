/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * enroll.h - a machine's own key and its signing request
 *
 * The private key is made where it is used and never travels; only the request does. The head
 * takes nothing from a request but its public key, so a request names nobody. Keys are ECDSA
 * P-256, texts are PEM.
 */
#ifndef NET_ENROLL_H
#define NET_ENROLL_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define ENROLL_PEM_MAX		 8192 /* of one key, request or certificate */
#define ENROLL_FINGERPRINT_BYTES 32
#define ENROLL_FINGERPRINT_TEXT	 (2 * ENROLL_FINGERPRINT_BYTES + 1)

/** enroll_key() - Make a private key; @to gets its PEM text appended */
int enroll_key(struct buf *to, struct err *e) MUST_CHECK;

/**
 * enroll_request() - Make the signing request for a key
 * @key_pem, @len: The private key
 * @to:		The request's PEM text is appended
 * @e:		Reason
 *
 * Return: 0, -EINVAL when that is no key, -ENOMEM
 */
int enroll_request(const void *key_pem, size_t len, struct buf *to, struct err *e) MUST_CHECK;

/** enroll_key_fingerprint() - SHA-256 of the public half (SPKI) of a private key, in hex */
int enroll_key_fingerprint(const void *key_pem, size_t len, char ret[ENROLL_FINGERPRINT_TEXT],
			   struct err *e) MUST_CHECK;

/** enroll_cert_fingerprint() - SHA-256 of a PEM certificate's DER form, in hex */
int enroll_cert_fingerprint(const void *pem, size_t len, char ret[ENROLL_FINGERPRINT_TEXT],
			    struct err *e) MUST_CHECK;

#endif
