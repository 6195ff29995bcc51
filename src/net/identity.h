/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * identity.h - who a certificate speaks for
 *
 * The URI in the subject alternative name, comosix://CLUSTER-ID/ROLE/ID/NAME, is the identity and
 * nothing else is (docs/PROTOCOL.md section 5). Names are safe to print, to use as file names and
 * as host names: letters, digits, '-', '.', '_', beginning with a letter or digit.
 */
#ifndef NET_IDENTITY_H
#define NET_IDENTITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define CLUSTER_ID_LEN	     32 /* hexadecimal digits */
#define IDENTITY_NAME_MAX    63
#define IDENTITY_URI_MAX     160
#define IDENTITY_SERIAL_TEXT 41 /* 20 bytes: RFC 5280 */

/* name, word in the URI */
#define ROLES(X)                                                                                   \
	X(HEAD, "head")                                                                            \
	X(SERVER, "server")                                                                        \
	X(DESKTOP, "desktop")                                                                      \
	X(OPERATOR, "operator")

enum role {
#define ROLE_ENUM(name, word) ROLE_##name,
	ROLES(ROLE_ENUM)
#undef ROLE_ENUM
};

struct identity {
	char cluster[CLUSTER_ID_LEN + 1];
	enum role role;
	uint32_t id; /* 0: an operator */
	char name[IDENTITY_NAME_MAX + 1];
	int64_t not_before, not_after;	   /* seconds since 1970 */
	char serial[IDENTITY_SERIAL_TEXT]; /* of the certificate, hexadecimal; empty without one */
};

const char *role_name(enum role r);

/** role_parse() - "server" to ROLE_SERVER; -EINVAL */
int role_parse(const char *s, enum role *ret) MUST_CHECK;

/** role_is_core() - Head or server: may declare deaths, relay and ask for work */
static inline bool role_is_core(enum role r)
{
	return r == ROLE_HEAD || r == ROLE_SERVER;
}

/** identity_name_ok() - Is this a name a node may have? */
bool identity_name_ok(const char *s);

/**
 * identity_parse() - Read an identity URI
 * @uri:	Text, not terminated
 * @len:	Its length
 * @ret:	Set on success only; the times are 0 and there is no serial number
 * @e:		Reason
 *
 * Return: 0 or -EINVAL
 */
int identity_parse(const char *uri, size_t len, struct identity *ret, struct err *e) MUST_CHECK;

/**
 * identity_of_der() - Identity and times of a certificate
 * @der:	The certificate; hostile bytes
 * @len:	Their number
 * @ret:	Set on success only
 * @e:		Reason
 *
 * Says nothing about who signed it.
 *
 * Return: 0 or -EINVAL
 */
int identity_of_der(const void *der, size_t len, struct identity *ret, struct err *e) MUST_CHECK;

#endif
