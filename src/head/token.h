/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * token.h - join tokens as text, and the networks they are bound to
 *
 *	cmx-1f0c88aa-5d7e...(32 digits)-mfrggzdfmztwq2lknnwg23tpoa
 *	    |        |                  secret, 128 random bits in base32
 *	    |        the first half of the SHA-256 of the authority's certificate
 *	    the first 8 digits of the cluster's id
 *
 * The joining machine checks the authority by the second part before it shows the third to
 * anybody; the head keeps the SHA-256 of the third only.
 */
#ifndef HEAD_TOKEN_H
#define HEAD_TOKEN_H

#include <stdbool.h>

#include "os/sock.h"

#define TOKEN_SECRET_LEN  26
#define TOKEN_CLUSTER_LEN 8
#define TOKEN_PIN_LEN	  32
#define TOKEN_TEXT	  (4 + TOKEN_CLUSTER_LEN + 1 + TOKEN_PIN_LEN + 1 + TOKEN_SECRET_LEN + 1)
#define TOKEN_HASH_TEXT	  65

struct token {
	char cluster[TOKEN_CLUSTER_LEN + 1];
	char pin[TOKEN_PIN_LEN + 1];
	char secret[TOKEN_SECRET_LEN + 1];
};

/** token_secret() - A new secret from 16 random bytes */
void token_secret(const uint8_t bytes[16], char ret[TOKEN_SECRET_LEN + 1]);

/** token_format() - The text that is given to a person */
void token_format(const struct token *t, char ret[TOKEN_TEXT]);

/** token_parse() - Take such a text apart; -EINVAL */
int token_parse(const char *s, struct token *ret, struct err *e) MUST_CHECK;

/** token_hash() - What is kept of a secret */
int token_hash(const char *secret, char ret[TOKEN_HASH_TEXT]) MUST_CHECK;

/** network_ok() - "10.0.0.0/8", "fd00::/8", or one address */
bool network_ok(const char *s);

/** network_holds() - Is the address in the network? An IPv4 address mapped into IPv6 counts as it
 */
bool network_holds(const char *network, const struct sock_addr *a);

#endif
