/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pairs.c - the keys this node shares with each of its peers, and how they come to be */
#include "node/pairs.h"

#include <errno.h>

#include "base/list.h"
#include "log/log.h"
#include "loop/loop.h"
#include "net/conn.h"
#include "net/seal.h"
#include "node/dial.h"
#include "node/directory.h"
#include "node/greeting.h"
#include "node/node.h"
#include "node/relay.h"
#include "os/clock.h"
#include "os/rand.h"

#define KEYS_MAX       3
#define KEY_LIFE_MS    3600000
#define KEY_GRACE_MS   30000
#define RETRY_FIRST_MS 500
#define RETRY_MAX_MS   5000 /* a peer that was off is heard within this after it is back */
#define LOST_PAUSE_MS  5000 /* between two keys made because the peer said it lost one */
#define DIALS_MAX      16   /* under way at a time; the rest waits for the next thing to say */
#define BUCKETS	       1024

struct peer;

struct key {
	struct list link; /* of those with the same hash of the number */
	struct peer *peer;
	struct seal *seal;
	uint64_t made_ms, heard_ms, until_ms;
};

struct peer {
	struct list link, bucket; /* all; same id hash */
	struct pairs *pairs;
	uint32_t id;
	struct key *keys[KEYS_MAX]; /* owned; newest first */
	struct dial *dial;	    /* a PAIR or CONTROL connection under way */
	uint64_t retry_ms;	    /* not before */
	uint32_t pause_ms;
	uint64_t lost_ms;
};

struct pairs {
	struct node *node;
	struct list all, buckets[BUCKETS], numbers[BUCKETS];
	unsigned int dials;
	struct log_limit quiet;
};

int pairs_new(struct node *n, struct pairs **ret)
{
	struct pairs *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->node = n;
	list_init(&p->all);
	for (size_t i = 0; i < BUCKETS; i++)
		list_init(&p->buckets[i]);
	for (size_t i = 0; i < BUCKETS; i++)
		list_init(&p->numbers[i]);
	*ret = p;
	return 0;
}

static struct peer *find(const struct pairs *p, uint32_t id)
{
	const struct list *b = &p->buckets[id % BUCKETS];

	list_for_each (l, b)
		if (list_entry(l, struct peer, bucket)->id == id)
			return list_entry(l, struct peer, bucket);
	return NULL;
}

static struct peer *find_or_make(struct pairs *p, uint32_t id)
{
	struct peer *e = find(p, id);

	if (e)
		return e;
	e = calloc(1, sizeof(*e));
	if (!e)
		return NULL;
	e->pairs = p;
	e->id = id;
	e->pause_ms = RETRY_FIRST_MS;
	list_add(&p->all, &e->link);
	list_add(&p->buckets[id % BUCKETS], &e->bucket);
	return e;
}

static void end_dial(struct peer *e)
{
	if (!e->dial)
		return;
	e->dial = NULL;
	e->pairs->dials--;
}

static void key_free(struct key *k)
{
	if (!k)
		return;
	list_del(&k->link);
	seal_free(k->seal);
	free(k);
}

static void drop(struct peer *e)
{
	for (int i = 0; i < KEYS_MAX; i++)
		key_free(e->keys[i]);
	dial_free(e->dial);
	end_dial(e);
	list_del(&e->link);
	list_del(&e->bucket);
	free(e);
}

void pairs_free(struct pairs *p)
{
	if (!p)
		return;
	list_for_each_safe (l, &p->all)
		drop(list_entry(l, struct peer, link));
	free(p);
}

void pairs_drop(struct pairs *p, uint32_t id)
{
	struct peer *e = find(p, id);

	if (e)
		drop(e);
}

/* ---- making keys ---- */

int pairs_add(struct pairs *p, uint32_t id, struct seal *s, int64_t until_s)
{
	uint64_t now = loop_now(p->node->loop);
	struct peer *e = find_or_make(p, id);
	struct key *k = e ? calloc(1, sizeof(*k)) : NULL;
	int64_t left_s = until_s - clock_wall_s();

	if (!k) {
		seal_free(s);
		return -ENOMEM;
	}
	k->peer = e;
	k->seal = s;
	k->made_ms = k->heard_ms = now;
	k->until_ms = now + (uint64_t)(left_s > 0 ? left_s : 0) * 1000;
	list_add(&p->numbers[seal_number(s) % BUCKETS], &k->link);
	key_free(e->keys[KEYS_MAX - 1]);
	memmove(&e->keys[1], &e->keys[0], (KEYS_MAX - 1) * sizeof(e->keys[0]));
	e->keys[0] = k;
	e->pause_ms = RETRY_FIRST_MS;
	e->retry_ms = 0;
	count(&p->node->counters, COUNT_pairs_made);
	return 0;
}

static void on_ready(void *owner, struct conn *c, const Cmx__Hello *hello)
{
	struct peer *e = owner;
	struct pairs *p = e->pairs;
	struct node *n = p->node;
	uint32_t id = e->id;

	end_dial(e);
	e->pause_ms = RETRY_FIRST_MS;
	if (n->set.relayed)
		relay_control(n->relay, c, hello);
	else
		greeting_pair(n, c, id, true, hello);
}

static void on_failed(void *owner, int status, const struct err *why)
{
	struct peer *e = owner;
	struct pairs *p = e->pairs;
	const struct dir_entry *d = directory_get(p->node->directory, e->id);
	uint64_t now = loop_now(p->node->loop);
	uint32_t dropped;

	end_dial(e);
	count(&p->node->counters, COUNT_pairs_failed);
	e->retry_ms = now + e->pause_ms / 2 + (uint32_t)rand_u64() % e->pause_ms;
	e->pause_ms = e->pause_ms * 2 < RETRY_MAX_MS ? e->pause_ms * 2 : RETRY_MAX_MS;
	if (log_allow(&p->quiet, now, 5000, &dropped))
		log_info("no key with %s (%u): %s; tried again later%s", d ? d->name : "?", e->id,
			 why->text, dropped ? " (and others)" : "");
}

static const struct dial_ops dial_ops = { .ready = on_ready, .failed = on_failed };

static void want(struct peer *e)
{
	struct pairs *p = e->pairs;
	struct node *n = p->node;
	Cmx__Want what = n->set.relayed ? CMX__WANT__WANT_CONTROL : CMX__WANT__WANT_PAIR;
	const struct dir_entry *d = directory_get(n->directory, e->id);
	struct err err;

	if (e->dial || p->dials >= DIALS_MAX || loop_now(n->loop) < e->retry_ms)
		return;
	if (!d || d->relayed || !d->known_address ||
	    (n->set.relayed && relay_holds(n->relay, e->id)))
		return;
	if (dial_new(n, &(struct dial_order){ .id = e->id, .want = what }, &dial_ops, e, &e->dial,
		     &err) < 0) {
		e->dial = NULL;
		on_failed(e, 1, &err);
		return;
	}
	p->dials++;
}

void pairs_want(struct pairs *p, uint32_t id)
{
	struct peer *e = find_or_make(p, id);

	if (e && !e->keys[0])
		want(e);
}

void pairs_renew(struct pairs *p, uint32_t id)
{
	struct peer *e = find_or_make(p, id);

	if (e)
		want(e);
}

void pairs_lost(struct pairs *p, uint32_t number)
{
	uint64_t now = loop_now(p->node->loop);

	list_for_each (l, &p->numbers[number % BUCKETS]) {
		struct key *k = list_entry(l, struct key, link);
		struct peer *e = k->peer;

		if (seal_number(k->seal) != number || e->keys[0] != k)
			continue;
		if (now < e->lost_ms)
			return; /* whoever says so may be lying: now and then is enough */
		e->lost_ms = now + LOST_PAUSE_MS;
		e->retry_ms = 0; /* it is there again: what failed before says nothing now */
		e->pause_ms = RETRY_FIRST_MS;
		want(e);
		return;
	}
}

/* ---- using them ---- */

int pairs_have(const struct pairs *p, uint32_t id)
{
	const struct peer *e = find(p, id);

	return e && e->keys[0];
}

static void forget_old(struct peer *e, uint64_t now)
{
	for (int i = 1; i < KEYS_MAX; i++) {
		struct key *newer = e->keys[i - 1], *k = e->keys[i];

		if (!newer || !k || now - k->heard_ms < KEY_GRACE_MS ||
		    now - newer->made_ms < KEY_GRACE_MS)
			continue;
		key_free(k);
		memmove(&e->keys[i], &e->keys[i + 1],
			(size_t)(KEYS_MAX - 1 - i) * sizeof(e->keys[0]));
		e->keys[KEYS_MAX - 1] = NULL;
	}
}

int pairs_close(struct pairs *p, uint32_t id, const void *payload, size_t n, uint8_t *to)
{
	uint64_t now = loop_now(p->node->loop);
	struct peer *e = find_or_make(p, id);

	if (!e)
		return -ENOMEM;
	if (!e->keys[0] || now > e->keys[0]->until_ms) {
		want(e);
		return -ENOKEY;
	}
	forget_old(e, now);
	if (now - e->keys[0]->made_ms > KEY_LIFE_MS ||
	    seal_used(e->keys[0]->seal) > SEAL_COUNTER_MAX / 2)
		want(e);
	return seal_close(e->keys[0]->seal, payload, n, to);
}

int pairs_open(struct pairs *p, const uint8_t *d, size_t n, uint32_t *ret_from, uint8_t *to,
	       size_t *ret_n)
{
	uint32_t number;
	int r = seal_peek(d, n, &number);

	if (r < 0)
		return r;
	r = -ENOKEY;
	list_for_each (l, &p->numbers[number % BUCKETS]) {
		struct key *k = list_entry(l, struct key, link);
		uint64_t now = loop_now(p->node->loop);

		if (seal_number(k->seal) != number || now > k->until_ms)
			continue;
		r = seal_open(k->seal, d, n, to, ret_n);
		if (r < 0)
			continue; /* another key may have drawn the same number */
		k->heard_ms = now;
		*ret_from = k->peer->id;
		return 0;
	}
	return r;
}

void pairs_each(struct pairs *p, void (*fn)(void *owner, uint32_t id), void *owner)
{
	list_for_each_safe (l, &p->all) {
		struct peer *e = list_entry(l, struct peer, link);

		if (e->keys[0])
			fn(owner, e->id);
	}
}
