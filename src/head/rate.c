/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rate.c - how often one address may fail */
#include "head/rate.h"

#include <netinet/in.h>

void rate_init(struct rate *r, double burst, double per_s)
{
	*r = (struct rate){ .burst = burst, .per_s = per_s };
}

static void key_of(const struct sock_addr *a, uint8_t key[9])
{
	memset(key, 0, 9);
	if (a->ss.ss_family == AF_INET) {
		key[0] = 4;
		memcpy(key + 1, &((const struct sockaddr_in *)&a->ss)->sin_addr, 4);
	} else if (a->ss.ss_family == AF_INET6) {
		const struct in6_addr *in6 = &((const struct sockaddr_in6 *)&a->ss)->sin6_addr;
		bool v4 = IN6_IS_ADDR_V4MAPPED(in6);

		key[0] = v4 ? 4 : 6;
		memcpy(key + 1, in6->s6_addr + (v4 ? 12 : 0), v4 ? 4 : 8);
	}
}

static double level(const struct rate *r, const struct rate_slot *s, uint64_t now_ms)
{
	double left = s->left + (double)(now_ms - s->at_ms) / 1000 * r->per_s;

	return left < r->burst ? left : r->burst;
}

static struct rate_slot *find(struct rate *r, const uint8_t key[9])
{
	for (size_t i = 0; i < RATE_SLOTS; i++)
		if (r->slots[i].used && !memcmp(r->slots[i].key, key, 9))
			return &r->slots[i];
	return NULL;
}

bool rate_left(struct rate *r, const struct sock_addr *a, uint64_t now_ms)
{
	uint8_t key[9];
	struct rate_slot *s;

	key_of(a, key);
	s = find(r, key);
	return !s || level(r, s, now_ms) >= 1;
}

static struct rate_slot *make(struct rate *r, const uint8_t key[9], uint64_t now_ms)
{
	struct rate_slot *best = &r->slots[0];

	for (size_t i = 0; i < RATE_SLOTS; i++) {
		struct rate_slot *s = &r->slots[i];

		if (!s->used) {
			best = s;
			break;
		}
		if (level(r, s, now_ms) > level(r, best, now_ms))
			best = s;
	}
	*best = (struct rate_slot){ .used = true, .left = r->burst, .at_ms = now_ms };
	memcpy(best->key, key, 9);
	return best;
}

void rate_count(struct rate *r, const struct sock_addr *a, uint64_t now_ms)
{
	uint8_t key[9];
	struct rate_slot *s;

	key_of(a, key);
	s = find(r, key);
	if (!s)
		s = make(r, key, now_ms);
	s->left = level(r, s, now_ms) - 1;
	if (s->left < 0)
		s->left = 0;
	s->at_ms = now_ms;
}
