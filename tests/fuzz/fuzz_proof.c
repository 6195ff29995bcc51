/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_proof.c - a proof from a peer
 *
 * The input is a packed Proof message. No input can be right, for the authority of this target has
 * signed nothing; one that gets in is a hole.
 */
#include <errno.h>
#include <gnutls/gnutls.h>

#include "net/proof.h"
#include "tests/fuzz/fuzz.h"
#include "wire/message.h"

/* an authority whose key nobody has kept: P-256, to 2125 */
static const char authority[] = "-----BEGIN CERTIFICATE-----\n"
				"MIIBiTCCAS+gAwIBAgIULrPw+a6M0jZkfGwLm6B2R00MhCwwCgYIKoZIzj0EAwIw\n"
				"GTEXMBUGA1UEAwwOZnV6eiBhdXRob3JpdHkwIBcNMjYxMTIyMTY1NTA4WhgPMjEy\n"
				"NjEwMjkxNjU1MDhaMBkxFzAVBgNVBAMMDmZ1enogYXV0aG9yaXR5MFkwEwYHKoZI\n"
				"zj0CAQYIKoZIzj0DAQcDQgAE3g2Go7AzJlm6Ub6T+wzacxDi4/AoJ7hByuZEn6ZW\n"
				"t5PuuEmJlI32RYOYpn7mTlau+TYoQYaXrkGP3829G0tNzqNTMFEwHQYDVR0OBBYE\n"
				"FDCNrpUn+wsRtN/3vX7rtdwuRNu2MB8GA1UdIwQYMBaAFDCNrpUn+wsRtN/3vX7r\n"
				"tdwuRNu2MA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDSAAwRQIhAPMAiXdF\n"
				"LS7bKV74gwReV36spXFV1oEFBSIf+sT2rE6cAiBJdkgQu3yWi9qFxDvX4nj5Q2mY\n"
				"wV9dI14x1KljGmbnEA==\n"
				"-----END CERTIFICATE-----\n";

static gnutls_x509_crt_t load(void)
{
	const gnutls_datum_t pem = { (unsigned char *)authority, sizeof(authority) - 1 };
	gnutls_x509_crt_t crt;

	MUST(gnutls_x509_crt_init(&crt) >= 0);
	MUST(gnutls_x509_crt_import(crt, &pem, GNUTLS_X509_FMT_PEM) >= 0);
	return crt;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static gnutls_x509_crt_t ca; /* read once: the same for each input */
	const struct proof_request rq = { .kind = CMX__OPEN_KIND__OPEN_EXEC,
					  .body = "body",
					  .body_len = 4 };
	AUTO_MESSAGE Cmx__Proof *p = message_get(&cmx__proof__descriptor, data, size, NULL);
	struct identity operator;
	struct nonce_cache *nonces;
	struct err e = { 0 };
	int r;

	if (!ca)
		ca = load();
	const struct proof_check check = { .authorities = &ca,
					   .n_authorities = 1,
					   .cluster = "00112233445566778899aabbccddeeff",
					   .node = "n1",
					   .now_s = 1800000000 };

	MUST(!nonce_cache_new(4, 0, &nonces));
	r = proof_verify(p, &rq, &check, nonces, &operator, & e);
	MUST(r == -EACCES || r == -ENOMEM);
	MUST(e.text[0]);
	nonce_cache_free(nonces);
	return 0;
}
