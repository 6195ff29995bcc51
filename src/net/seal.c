/* SPDX-License-Identifier: GPL-2.0-or-later */
/* seal.c - datagrams that only the two ends of a pair can make and read */
#include "net/seal.h"

#include <errno.h>
#include <gnutls/crypto.h>

struct direction {
	gnutls_aead_cipher_hd_t cipher;
	uint8_t iv[SEAL_IV_LEN];
};

struct seal {
	uint32_t number;
	uint64_t sent; /* counter of the last datagram made */
	struct direction out, in;
	struct seal_window window;
};

/* ---- the window ---- */

bool seal_window_fresh(const struct seal_window *w, uint64_t counter)
{
	uint64_t bit = counter % SEAL_WINDOW;

	if (!counter)
		return false;
	if (counter > w->top)
		return true;
	if (w->top - counter >= SEAL_WINDOW)
		return false;
	return !(w->seen[bit / 64] >> bit % 64 & 1);
}

void seal_window_take(struct seal_window *w, uint64_t counter)
{
	uint64_t bit = counter % SEAL_WINDOW;

	/* the bits between the old top and the new one belong to counters not yet seen */
	if (counter > w->top) {
		uint64_t n = counter - w->top;

		for (uint64_t i = 1; i <= n && i <= SEAL_WINDOW; i++) {
			uint64_t b = (w->top + i) % SEAL_WINDOW;

			w->seen[b / 64] &= ~(1ULL << b % 64);
		}
		w->top = counter;
	}
	w->seen[bit / 64] |= 1ULL << bit % 64;
}

/* ---- big-endian numbers ---- */

static void put_u32be(uint8_t *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> (24 - 8 * i));
}

static void put_u64be(uint8_t *p, uint64_t v)
{
	for (int i = 0; i < 8; i++)
		p[i] = (uint8_t)(v >> (56 - 8 * i));
}

static uint32_t get_u32be(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint64_t get_u64be(const uint8_t *p)
{
	return (uint64_t)get_u32be(p) << 32 | get_u32be(p + 4);
}

/* ---- keys ---- */

static int direction_init(struct direction *d, const uint8_t *key, const uint8_t *iv)
{
	gnutls_datum_t k = { .data = (unsigned char *)key, .size = SEAL_KEY_LEN };

	memcpy(d->iv, iv, SEAL_IV_LEN);
	return gnutls_aead_cipher_init(&d->cipher, GNUTLS_CIPHER_AES_128_GCM, &k) < 0 ? -ENOMEM : 0;
}

int seal_new(const uint8_t *material, bool connected, struct seal **ret)
{
	const uint8_t *there = material, *back = there + SEAL_KEY_LEN + SEAL_IV_LEN;
	const uint8_t *number = back + SEAL_KEY_LEN + SEAL_IV_LEN;
	struct seal *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->number = get_u32be(number);
	/* "there" is from the side that connected to the other one */
	if (direction_init(connected ? &s->out : &s->in, there, there + SEAL_KEY_LEN) < 0 ||
	    direction_init(connected ? &s->in : &s->out, back, back + SEAL_KEY_LEN) < 0) {
		seal_free(s);
		return -ENOMEM;
	}
	*ret = s;
	return 0;
}

void seal_free(struct seal *s)
{
	if (!s)
		return;
	if (s->out.cipher)
		gnutls_aead_cipher_deinit(s->out.cipher);
	if (s->in.cipher)
		gnutls_aead_cipher_deinit(s->in.cipher);
	explicit_bzero(s, sizeof(*s));
	free(s);
}

uint32_t seal_number(const struct seal *s)
{
	return s->number;
}

uint64_t seal_used(const struct seal *s)
{
	return s->sent;
}

static void nonce_of(const struct direction *d, uint64_t counter, uint8_t *nonce)
{
	uint8_t c[8];

	put_u64be(c, counter);
	memcpy(nonce, d->iv, SEAL_IV_LEN);
	for (int i = 0; i < 8; i++)
		nonce[SEAL_IV_LEN - 8 + i] ^= c[i];
}

/* ---- datagrams ---- */

int seal_close(struct seal *s, const void *p, size_t n, uint8_t *to)
{
	size_t sealed = n + SEAL_TAG;
	uint8_t nonce[SEAL_IV_LEN];

	if (n > SEAL_PAYLOAD_MAX)
		return -EMSGSIZE;
	if (s->sent >= SEAL_COUNTER_MAX)
		return -EKEYEXPIRED;
	s->sent++;
	to[0] = SEAL_VERSION;
	to[1] = to[2] = to[3] = 0;
	put_u32be(to + 4, s->number);
	put_u64be(to + 8, s->sent);
	nonce_of(&s->out, s->sent, nonce);
	if (gnutls_aead_cipher_encrypt(s->out.cipher, nonce, sizeof(nonce), to, SEAL_HEADER,
				       SEAL_TAG, p, n, to + SEAL_HEADER, &sealed) < 0)
		return -ENOMEM;
	return 0;
}

int seal_peek(const uint8_t *d, size_t n, uint32_t *ret)
{
	if (n < SEAL_OVERHEAD || n > SEAL_DATAGRAM_MAX || d[0] != SEAL_VERSION || d[1] || d[2] ||
	    d[3])
		return -EBADMSG;
	*ret = get_u32be(d + 4);
	return 0;
}

int seal_open(struct seal *s, const uint8_t *d, size_t n, uint8_t *to, size_t *ret_n)
{
	uint8_t nonce[SEAL_IV_LEN];
	size_t len = SEAL_PAYLOAD_MAX;
	uint32_t number;
	uint64_t counter;

	if (seal_peek(d, n, &number) < 0 || number != s->number)
		return -EBADMSG;
	counter = get_u64be(d + 8);
	if (counter > SEAL_COUNTER_MAX)
		return -EBADMSG;
	if (!seal_window_fresh(&s->window, counter))
		return -EALREADY;
	nonce_of(&s->in, counter, nonce);
	if (gnutls_aead_cipher_decrypt(s->in.cipher, nonce, sizeof(nonce), d, SEAL_HEADER, SEAL_TAG,
				       d + SEAL_HEADER, n - SEAL_HEADER, to, &len) < 0)
		return -EBADMSG;
	seal_window_take(&s->window, counter);
	*ret_n = len;
	return 0;
}
