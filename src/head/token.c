/* SPDX-License-Identifier: GPL-2.0-or-later */
/* token.c - join tokens as text, and the networks they are bound to */
#include "head/token.h"

#include <arpa/inet.h>
#include <errno.h>
#include <gnutls/crypto.h>
#include <netinet/in.h>

#include "base/parse.h"

static const char base32[] = "abcdefghijklmnopqrstuvwxyz234567";
static const char hex_digits[] = "0123456789abcdef";

void token_secret(const uint8_t bytes[16], char ret[TOKEN_SECRET_LEN + 1])
{
	unsigned int held = 0, value = 0;
	size_t n = 0;

	for (size_t i = 0; i < 16; i++) {
		value = (value << 8 | bytes[i]) & 0xfff;
		for (held += 8; held >= 5; held -= 5)
			ret[n++] = base32[value >> (held - 5) & 31];
	}
	ret[n++] = base32[value << (5 - held) & 31];
	ret[n] = '\0';
}

void token_format(const struct token *t, char ret[TOKEN_TEXT])
{
	(void)snprintf(ret, TOKEN_TEXT, "cmx-%s-%s-%s", t->cluster, t->pin, t->secret);
}

static bool take(const char **s, const char *alphabet, size_t len, char end, char *ret)
{
	if (strspn(*s, alphabet) != len || (*s)[len] != end)
		return false;
	memcpy(ret, *s, len);
	ret[len] = '\0';
	*s += len + 1;
	return true;
}

int token_parse(const char *s, struct token *ret, struct err *e)
{
	struct token t;

	if (!strncmp(s, "cmx-", 4)) {
		s += 4;
		if (take(&s, hex_digits, TOKEN_CLUSTER_LEN, '-', t.cluster) &&
		    take(&s, hex_digits, TOKEN_PIN_LEN, '-', t.pin) &&
		    take(&s, base32, TOKEN_SECRET_LEN, '\0', t.secret)) {
			*ret = t;
			return 0;
		}
	}
	return err_set(e, -EINVAL,
		       "this is no join token; it looks like cmx-XXXXXXXX-...-... and is made by "
		       "'comosix token create' on the head");
}

int token_hash(const char *secret, char ret[TOKEN_HASH_TEXT])
{
	uint8_t hash[32];
	int r = gnutls_hash_fast(GNUTLS_DIG_SHA256, secret, strlen(secret), hash);

	if (r < 0)
		return -EIO;
	hex_format(hash, sizeof(hash), ret);
	return 0;
}

/* address bytes, their number, and the prefix length in bits */
static bool parse_network(const char *s, uint8_t ret[16], size_t *ret_len, uint32_t *ret_bits)
{
	const char *slash = strchr(s, '/');
	size_t n = slash ? (size_t)(slash - s) : strlen(s);
	char host[INET6_ADDRSTRLEN];

	if (!n || n >= sizeof(host))
		return false;
	memcpy(host, s, n);
	host[n] = '\0';
	if (inet_pton(AF_INET, host, ret) == 1)
		*ret_len = 4;
	else if (inet_pton(AF_INET6, host, ret) == 1)
		*ret_len = 16;
	else
		return false;
	*ret_bits = (uint32_t)(8 * *ret_len);
	return !slash || (parse_u32(slash + 1, ret_bits) == 0 && *ret_bits <= 8 * *ret_len);
}

bool network_ok(const char *s)
{
	uint8_t bytes[16];
	uint32_t bits;
	size_t len;

	return parse_network(s, bytes, &len, &bits);
}

bool network_holds(const char *network, const struct sock_addr *a)
{
	uint8_t bytes[16], have[16] = { 0 };
	size_t len, have_len;
	uint32_t bits;

	if (!parse_network(network, bytes, &len, &bits))
		return false;
	if (a->ss.ss_family == AF_INET) {
		memcpy(have, &((const struct sockaddr_in *)&a->ss)->sin_addr, 4);
		have_len = 4;
	} else if (a->ss.ss_family == AF_INET6) {
		const struct in6_addr *in6 = &((const struct sockaddr_in6 *)&a->ss)->sin6_addr;

		have_len = IN6_IS_ADDR_V4MAPPED(in6) ? 4 : 16;
		memcpy(have, in6->s6_addr + (16 - have_len), have_len);
	} else {
		return false;
	}
	if (have_len != len || memcmp(have, bytes, bits / 8) != 0)
		return false;
	return !(bits % 8) || !((have[bits / 8] ^ bytes[bits / 8]) >> (8 - bits % 8));
}
