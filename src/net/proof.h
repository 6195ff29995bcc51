/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * proof.h - the operator's word for one request, and its check by the node that is asked
 *
 * docs/PROTOCOL.md section 3. A proof is a statement {cluster, kind, nodes, SHA-256 of the
 * request's body, caller's uid, time, nonce} signed with the operator's key, and the operator's
 * certificate. It does not depend on the way it came: a server that passes it on can neither change
 * it nor use it a second time.
 */
#ifndef NET_PROOF_H
#define NET_PROOF_H

#include <gnutls/x509.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "net/identity.h"
#include "wire/control.pb-c.h"

#define PROOF_FILE_DEFAULT  "/etc/comosix/operator.pem" /* or $COMOSIX_OPERATOR */
#define PROOF_WINDOW_S	    60 /* how far its time may be from the node's */
#define PROOF_NONCE_LEN	    16
#define PROOF_NODES_MAX	    4096
#define PROOF_STATEMENT_MAX 131072 /* bytes */
#define PROOF_CERT_MAX	    8192

/* ---- the side that asks ---- */

struct credential; /* an operator.pem in memory; the key is wiped by credential_free() */

/**
 * credential_load() - Read an operator's certificate, key and authority
 * @path:	NULL: $COMOSIX_OPERATOR, else PROOF_FILE_DEFAULT
 * @ret:	Set on success only; the caller ends it with credential_free()
 * @e:		Reason
 *
 * Return: 0, -ENOENT, -EACCES (may not be read), -EINVAL (no credential), other -errno
 */
int credential_load(const char *path, struct credential **ret, struct err *e) MUST_CHECK;
void credential_free(struct credential *c);

/* what is asked, said alike by both sides */
struct proof_request {
	Cmx__OpenKind kind;
	uint32_t uid;	  /* of the caller at the home node; Open.uid */
	const void *body; /* Open.body as sent */
	size_t body_len;
};

/**
 * proof_sign() - Make the operator's word for one request
 * @c:		The credential
 * @rq:		What is asked
 * @nodes, @n_nodes: Names of the nodes it is for, at most PROOF_NODES_MAX; one each is best
 * @now_s:	clock_wall_s()
 * @ret:	Set on success only; the caller ends it with AUTO_MESSAGE or message_free()
 * @e:		Reason
 *
 * Return: 0 or -errno
 */
int proof_sign(const struct credential *c, const struct proof_request *rq, const char *const *nodes,
	       size_t n_nodes, int64_t now_s, Cmx__Proof **ret, struct err *e) MUST_CHECK;

/* ---- the side that is asked ---- */

/*
 * Nonces taken within the window. Bounded: when it is full a proof is refused, and only the
 * operator can fill it, for a nonce is kept after the signature has been checked. A proof that is
 * older than the cache, or older than what was forgotten, is refused: a restart or a clock set back
 * lets nothing be used twice. Owner: the daemon, one for its life.
 */
struct nonce_cache;

/**
 * nonce_cache_new() - A cache that remembers at most max nonces (8,192 fit a busy operator)
 * @now_s:	clock_wall_s()
 */
int nonce_cache_new(size_t max, int64_t now_s, struct nonce_cache **ret) MUST_CHECK;
void nonce_cache_free(struct nonce_cache *c);

struct proof_check {
	const gnutls_x509_crt_t *authorities; /* the cluster's; borrowed */
	unsigned int n_authorities;
	const char *cluster; /* 32 digits */
	const char *node;    /* this node's name */
	int64_t now_s;
	/* is the credential with this serial number revoked? NULL: none is */
	bool (*revoked)(const void *owner, const char *serial);
	const void *owner;
};

/**
 * proof_verify() - Does the operator stand behind this request?
 * @p:		From the peer, hostile; may be NULL
 * @rq:		What the peer asks, with the body's bytes as they came and the uid it stamped
 * @c:		Whom to believe
 * @nonces:	Takes the nonce when all is well
 * @ret_operator: As the certificate has him; set on success only
 * @e:		Reason
 *
 * Return: 0, -EACCES when it proves nothing (or was used before), -ENOMEM
 */
int proof_verify(const Cmx__Proof *p, const struct proof_request *rq, const struct proof_check *c,
		 struct nonce_cache *nonces, struct identity *ret_operator, struct err *e)
	MUST_CHECK;

#endif
