/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_cluster.c - a hostile desktop and a confused server speak to a core member
 *
 * The input is a row of packets: two bytes of length and flags, then the bytes of a message. The
 * top bit of the first byte says that the packet comes from the server, the next one that half a
 * second passes first. What the desktop says must never change what is thought of others: while
 * the server is silent, all others stay as they are.
 */
#include <string.h>

#include "cluster/cluster.h"
#include "tests/fuzz/fuzz.h"

#define SELF	1
#define SERVER	2
#define DESKTOP 3
#define OTHER	4 /* a desktop that nobody but the server may speak of */

static void on_send(void *ctx, uint32_t to, const struct gossip_msg *m)
{
	struct buf b;

	/* whatever they said, what we say is in order */
	buf_init(&b, GOSSIP_BYTES_MAX);
	MUST(to != SELF && gossip_encode(m, &b, NULL) == 0);
	buf_done(&b);
}

static void on_changed(void *ctx, const struct cluster_change *ch)
{
	bool *server_spoke = ctx;

	MUST(*server_spoke || ch->mine || ch->id == DESKTOP || ch->id == SELF);
}

static const struct cluster_ops ops = { .send = on_send, .changed = on_changed };

static struct cluster *four_members(bool *server_spoke)
{
	static const struct cluster_peer peers[] = {
		{ .id = SERVER, .name = "server", .role = CLUSTER_SERVER },
		{ .id = DESKTOP, .name = "desktop", .role = CLUSTER_DESKTOP },
		{ .id = OTHER, .name = "other", .role = CLUSTER_DESKTOP },
	};
	struct cluster_config cfg = { .id = SELF, .name = "head", .role = CLUSTER_HEAD };
	struct cluster *c;

	cluster_tune_default(&cfg.tune);
	cfg.tune.members_max = 64;
	MUST(cluster_new(&cfg, &ops, server_spoke, 1000, &c, NULL) == 0);
	for (size_t i = 0; i < ARRAY_LEN(peers); i++)
		MUST(cluster_peer_added(c, 1000, &peers[i], NULL) == 0);
	return c;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	bool server_spoke = false;
	struct cluster *c = four_members(&server_spoke);
	uint64_t now_ms = 1000;

	while (size >= 2) {
		size_t len = (size_t)(data[0] & 7) << 8 | data[1];
		uint32_t from = data[0] & 0x80 ? SERVER : DESKTOP;
		struct gossip_msg m;

		if (data[0] & 0x40) {
			now_ms += 500;
			cluster_tick(c, now_ms);
		}
		data += 2;
		size -= 2;
		if (len > size)
			len = size;
		if (gossip_decode(data, len, &m, NULL) == 0) {
			server_spoke = server_spoke || from == SERVER;
			cluster_receive(c, now_ms, from, &m);
		}
		data += len;
		size -= len;
	}
	MUST(cluster_count(c) <= 64 && cluster_deadline(c) <= now_ms + 250);
	cluster_free(c);
	return 0;
}
