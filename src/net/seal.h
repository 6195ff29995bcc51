/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * seal.h - datagrams that only the two ends of a pair can make and read
 *
 * Theory of operation. A pair key is made by one TLS handshake (docs/PROTOCOL.md section 4) and
 * holds a key and an IV for each direction. A datagram is header (16 bytes, authenticated), sealed
 * payload, tag. The counter of each direction never repeats under a key, so the nonce never does.
 * The receiver takes each counter once, within a window of 1,024 below the highest it has seen;
 * the window moves only for a datagram that opened. No syscalls, no clock: the age of a key is its
 * owner's business.
 *
 *	0       1         4       8               16              len-16
 *	+-------+---------+-------+---------------+---- ~ ---------+-------+
 *	| ver=1 | 0  0  0 |  key  |    counter    | sealed payload |  tag  |
 *	+-------+---------+-------+---------------+---- ~ ---------+-------+
 */
#ifndef NET_SEAL_H
#define NET_SEAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define SEAL_VERSION	  1
#define SEAL_HEADER	  16
#define SEAL_TAG	  16
#define SEAL_OVERHEAD	  (SEAL_HEADER + SEAL_TAG)
#define SEAL_PAYLOAD_MAX  1280
#define SEAL_DATAGRAM_MAX (SEAL_PAYLOAD_MAX + SEAL_OVERHEAD)
#define SEAL_WINDOW	  1024
#define SEAL_COUNTER_MAX  (1ULL << 32) /* datagrams under one key */

/* what both ends take from the exporter: two keys, two IVs, the key's number */
#define SEAL_KEY_LEN  16
#define SEAL_IV_LEN   12
#define SEAL_MATERIAL (2 * (SEAL_KEY_LEN + SEAL_IV_LEN) + 4)

struct seal_window {
	uint64_t top; /* highest counter taken; 0: none yet (counters begin at 1) */
	uint64_t seen[SEAL_WINDOW / 64];
};

/** seal_window_fresh() - Would this counter be taken? */
bool seal_window_fresh(const struct seal_window *w, uint64_t counter);

/** seal_window_take() - Mark a fresh counter as taken */
void seal_window_take(struct seal_window *w, uint64_t counter);

struct seal;

/**
 * seal_new() - A pair key from exported material
 * @material:	SEAL_MATERIAL bytes; the caller wipes them
 * @connected:	We are the side that connected
 * @ret:	Set on success only; ended with seal_free()
 *
 * Return: 0 or -ENOMEM
 */
int seal_new(const uint8_t *material, bool connected, struct seal **ret) MUST_CHECK;
void seal_free(struct seal *s);

/** seal_number() - What the key is called in a header; unique with luck only */
uint32_t seal_number(const struct seal *s);

/** seal_used() - Datagrams made with it so far */
uint64_t seal_used(const struct seal *s);

/**
 * seal_close() - Make a datagram
 * @p, @n:	Payload, n <= SEAL_PAYLOAD_MAX
 * @to:		n + SEAL_OVERHEAD bytes
 *
 * Return: 0, -EMSGSIZE, -EKEYEXPIRED after SEAL_COUNTER_MAX
 */
int seal_close(struct seal *s, const void *p, size_t n, uint8_t *to) MUST_CHECK;

/** seal_peek() - The key's number in a datagram; -EBADMSG when it cannot be one of ours */
int seal_peek(const uint8_t *d, size_t n, uint32_t *ret) MUST_CHECK;

/**
 * seal_open() - Read a datagram, once
 * @d, @n:	Hostile bytes
 * @to:		SEAL_PAYLOAD_MAX bytes
 * @ret_n:	Length of the payload
 *
 * Return: 0, -EBADMSG (not made by the peer for us), -EALREADY (seen, or too old to tell)
 */
int seal_open(struct seal *s, const uint8_t *d, size_t n, uint8_t *to, size_t *ret_n) MUST_CHECK;

#endif
