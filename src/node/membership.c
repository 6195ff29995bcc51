/* SPDX-License-Identifier: GPL-2.0-or-later */
/* membership.c - drives the pure cluster code: clock, UDP, CONTROL streams, directory, load */
#include "node/membership.h"

#include <errno.h>
#include <netinet/in.h>

#include "cluster/cluster.h"
#include "log/log.h"
#include "loop/loop.h"
#include "net/seal.h"
#include "node/bulletin.h"
#include "node/directory.h"
#include "node/expel.h"
#include "node/load.h"
#include "node/moves.h"
#include "node/node.h"
#include "node/pairs.h"
#include "node/relay.h"
#include "node/revoked.h"
#include "node/streams.h"
#include "os/fd.h"
#include "os/rand.h"
#include "wire/message.h"

#define NOTICE_MS	   300
#define NOTICES		   3
#define DATAGRAMS_PER_TURN 64
#define BATCH		   16 /* datagrams per system call */
#define GRID_MS		   50 /* what may wait a little is done at multiples of it, together */
#define DIRTY_MAX	   256
#define NO_KEY_PER_SECOND  32
#define COMPLAIN_MS	   5000
#define NO_KEY_LEN	   16
#define NO_KEY_VERSION	   2

struct membership {
	struct node *node;
	struct cluster *cluster;
	struct load_sampler *load;
	int fd;
	struct ev_ref ev, tick, load_timer, dirty_timer, notice_timer, fetch;
	uint64_t tick_ms, udp_ms;
	uint32_t dirty[DIRTY_MAX];
	unsigned int n_dirty;
	bool all_dirty;
	unsigned int notices; /* still to be sent */
	struct log_limit garbage, bad_gossip;
	uint64_t no_key_from_ms;
	unsigned int no_keys;
	void (*fn)(void *owner, uint32_t id);
	void *owner;
};

static const enum cluster_role cluster_roles[] = {
	[ROLE_HEAD] = CLUSTER_HEAD,
	[ROLE_SERVER] = CLUSTER_SERVER,
	[ROLE_DESKTOP] = CLUSTER_DESKTOP,
};

static uint64_t now_of(const struct membership *m)
{
	return loop_now(m->node->loop);
}

/* ---- out ---- */

static void to_address(struct membership *m, const struct dir_entry *d, const uint8_t *p, size_t n)
{
	/* a datagram that the kernel has no room for is lost like any other */
	(void)sendto(m->fd, p, n, MSG_DONTWAIT, (const struct sockaddr *)&d->addr.ss, d->addr.len);
	count(&m->node->counters, COUNT_datagrams_out);
}

static void send_payload(struct membership *m, uint32_t to, const void *p, size_t n)
{
	const struct dir_entry *d = directory_get(m->node->directory, to);
	struct node *node = m->node;
	uint8_t datagram[SEAL_DATAGRAM_MAX];
	int r = relay_send(node->relay, to, p, n);

	if (r == -ENOTCONN && node->set.relayed)
		pairs_want(node->pairs, to);
	else if (r == -ENOTCONN && d && d->known_address && n <= SEAL_PAYLOAD_MAX) {
		r = pairs_close(node->pairs, to, p, n, datagram);
		if (!r)
			to_address(m, d, datagram, n + SEAL_OVERHEAD);
	}
	if (r < 0)
		count(&node->counters, COUNT_gossip_unsent);
}

void membership_send(struct membership *m, uint32_t to, enum payload what, const void *msg)
{
	struct buf b;

	buf_init(&b, SEAL_PAYLOAD_MAX);
	if (buf_put_u8(&b, (uint8_t)what) == 0 && message_pack(&b, msg) == 0)
		send_payload(m, to, buf_bytes(&b), b.len);
	buf_done(&b);
}

static void on_send(void *ctx, uint32_t to, const struct gossip_msg *msg)
{
	struct membership *m = ctx;
	struct buf b;
	struct err e;

	buf_init(&b, SEAL_PAYLOAD_MAX);
	if (buf_put_u8(&b, PAYLOAD_GOSSIP) == 0 && gossip_encode(msg, &b, &e) == 0)
		send_payload(m, to, buf_bytes(&b), b.len);
	buf_done(&b);
}

/* ---- changes, told after the cluster is done ---- */

static void on_dirty(void *owner)
{
	struct membership *m = owner;
	uint32_t ids[DIRTY_MAX];
	unsigned int n = m->n_dirty;
	bool all = m->all_dirty;

	m->dirty_timer = (struct ev_ref){ 0 };
	memcpy(ids, m->dirty, sizeof(ids));
	m->n_dirty = 0;
	m->all_dirty = false;
	for (unsigned int i = 0; i < n; i++) {
		struct cluster_view v;

		if (membership_view_id(m, ids[i], &v) < 0)
			continue;
		if (v.state == CLUSTER_DEAD || v.state == CLUSTER_LEFT)
			streams_drop(m->node->streams, v.id, "the node is gone");
	}
	for (unsigned int i = 0; m->fn && i < n && !all; i++)
		m->fn(m->owner, ids[i]);
	if (all && m->fn)
		m->fn(m->owner, 0);
}

static void mark(struct membership *m, uint32_t id)
{
	for (unsigned int i = 0; i < m->n_dirty; i++)
		if (m->dirty[i] == id)
			return;
	if (m->n_dirty < DIRTY_MAX)
		m->dirty[m->n_dirty++] = id;
	else
		m->all_dirty = true;
	if (!m->dirty_timer.slot)
		(void)!loop_add_timer(m->node->loop, now_of(m), on_dirty, m, &m->dirty_timer);
}

static void on_changed(void *ctx, const struct cluster_change *ch)
{
	struct membership *m = ctx;
	const struct dir_entry *d = directory_get(m->node->directory, ch->id);

	if (ch->from != ch->to)
		log_info("%s (%u): %s -> %s%s", d ? d->name : "?", ch->id,
			 cluster_state_name(ch->from), cluster_state_name(ch->to),
			 ch->mine ? ", found here" : "");
	mark(m, ch->id);
}

/* ---- the directory ---- */

static void on_unlisted(void *ctx, uint32_t id)
{
	struct membership *m = ctx;

	bulletin_missing(m->node->bulletin);
}

static void list_in_cluster(struct membership *m, const struct dir_entry *d)
{
	struct cluster_peer peer = {
		.id = d->id, .name = d->name, .role = cluster_roles[d->role], .relayed = d->relayed
	};
	struct err e;

	if (d->known_address && d->addr.ss.ss_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)&d->addr.ss;

		peer.addr.ip[10] = peer.addr.ip[11] = 0xff;
		memcpy(peer.addr.ip + 12, &in->sin_addr, 4);
		peer.addr.port = ntohs(in->sin_port);
	} else if (d->known_address) {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&d->addr.ss;

		memcpy(peer.addr.ip, &in6->sin6_addr, 16);
		peer.addr.port = ntohs(in6->sin6_port);
	}
	if (cluster_peer_added(m->cluster, now_of(m), &peer, &e) < 0)
		log_debug("not listed: %s (%u): %s", d->name, d->id, e.text);
	if (d->relayed && relay_holds(m->node->relay, d->id))
		cluster_peer_link(m->cluster, now_of(m), d->id, true);
}

void membership_learn(struct membership *m, const struct dir_entry *d, uint32_t from)
{
	const struct dir_entry *old = directory_get(m->node->directory, d->id);
	struct node *n = m->node;
	struct dir_entry word = *d;

	if (d->id == n->self.id || !d->id || revoked_has(n->revoked, d->id))
		return;
	/* first-hand and new: a clock that was set back must not make us deaf to it */
	if (!from && old && word.stamp < old->stamp)
		word.stamp = old->stamp + 1;
	if (directory_put(n->directory, &word) <= 0)
		return;
	list_in_cluster(m, &word);
	mark(m, d->id);
	if (role_is_core(n->self.role))
		bulletin_push(n->bulletin, &word, from);
}

/* ---- in ---- */

static void take_notice(struct membership *m, uint32_t from, const Cmx__Notice *notice)
{
	uint64_t ours = revoked_epoch(m->node->revoked);
	Cmx__Notice back = CMX__NOTICE__INIT;

	if (notice->revocation_epoch == ours)
		return;
	if (notice->revocation_epoch > ours) {
		pairs_renew(m->node->pairs, from); /* HELLO compares the lists */
		return;
	}
	back.revocation_epoch = ours;
	membership_send(m, from, PAYLOAD_NOTICE, &back);
}

static void retick(struct membership *m);

static void complain_of_gossip(struct membership *m, uint32_t from, const char *why)
{
	const struct dir_entry *d = directory_get(m->node->directory, from);
	uint32_t dropped;

	count(&m->node->counters, COUNT_gossip_bad);
	if (log_allow(&m->bad_gossip, now_of(m), COMPLAIN_MS, &dropped))
		log_warn("%s (%u) says what is not understood: %s; ignored (%u more of the kind)",
			 d ? d->name : "?", from, why, dropped);
}

static void heard_gossip(struct membership *m, uint32_t from, const uint8_t *p, size_t n)
{
	struct gossip_msg msg;
	struct err e;

	if (gossip_decode(p, n, &msg, &e) < 0) {
		complain_of_gossip(m, from, e.text);
		return;
	}
	cluster_receive(m->cluster, now_of(m), from, &msg);
	retick(m);
}

void membership_heard(struct membership *m, uint32_t from, const uint8_t *p, size_t n)
{
	AUTO_MESSAGE Cmx__Directory *d = NULL;
	AUTO_MESSAGE Cmx__Notice *notice = NULL;

	if (!n)
		return;
	switch (p[0]) {
	case PAYLOAD_GOSSIP:
		heard_gossip(m, from, p + 1, n - 1);
		return;
	case PAYLOAD_DIRECTORY_ASK:
	case PAYLOAD_DIRECTORY_TELL:
		d = message_get(&cmx__directory__descriptor, p + 1, n - 1, NULL);
		if (d && p[0] == PAYLOAD_DIRECTORY_ASK)
			bulletin_asked(m->node->bulletin, from, d);
		else if (d)
			bulletin_told(m->node->bulletin, from, d);
		break;
	case PAYLOAD_NOTICE:
		notice = message_get(&cmx__notice__descriptor, p + 1, n - 1, NULL);
		if (notice)
			take_notice(m, from, notice);
		break;
	}
	if (!d && !notice)
		complain_of_gossip(m, from, "an unknown or broken payload");
}

/* a peer seals with a key from before our restart: say so, within limits */
static void no_such_key(struct membership *m, const uint8_t *d, const struct sock_addr *to)
{
	uint8_t answer[NO_KEY_LEN] = { NO_KEY_VERSION };

	if (now_of(m) - m->no_key_from_ms > 1000) {
		m->no_key_from_ms = now_of(m);
		m->no_keys = 0;
	}
	if (m->no_keys++ >= NO_KEY_PER_SECOND)
		return;
	memcpy(answer + 4, d + 4, NO_KEY_LEN - 4);
	(void)sendto(m->fd, answer, sizeof(answer), MSG_DONTWAIT, (const struct sockaddr *)&to->ss,
		     to->len); /* lost: the next datagram brings the next answer */
}

static void complain_of_garbage(struct membership *m, size_t n, const struct sock_addr *from)
{
	char text[SOCK_ADDR_TEXT];
	uint32_t dropped;

	if (!log_allow(&m->garbage, now_of(m), COMPLAIN_MS, &dropped))
		return;
	sock_addr_format(from, text);
	log_warn("a datagram of %zu bytes from %s is %s; ignored (%u more of the kind)", n, text,
		 n > SEAL_DATAGRAM_MAX ? "too long" : "garbage or forged", dropped);
}

static void datagram(struct membership *m, const uint8_t *d, size_t n, const struct sock_addr *from)
{
	struct counters *c = &m->node->counters;
	uint8_t payload[SEAL_PAYLOAD_MAX];
	uint32_t id;
	size_t len;
	int r;

	count(c, COUNT_datagrams_in);
	if (n == NO_KEY_LEN && d[0] == NO_KEY_VERSION) {
		pairs_lost(m->node->pairs, (uint32_t)d[4] << 24 | (uint32_t)d[5] << 16 |
						   (uint32_t)d[6] << 8 | d[7]);
		return;
	}
	r = pairs_open(m->node->pairs, d, n, &id, payload, &len);
	if (!r) {
		membership_heard(m, id, payload, len);
		return;
	}
	count(c, r == -EALREADY ? COUNT_datagrams_replayed
		 : r == -ENOKEY ? COUNT_datagrams_unknown
				: COUNT_datagrams_bad);
	if (r == -ENOKEY)
		no_such_key(m, d, from);
	else if (r != -EALREADY)
		complain_of_garbage(m, n, from);
}

/* Return: how many came */
static unsigned int drain(struct membership *m)
{
	static uint8_t data[BATCH][SEAL_DATAGRAM_MAX + 1];
	struct sock_addr from[BATCH];
	struct mmsghdr h[BATCH];
	struct iovec iov[BATCH];
	unsigned int total = 0;
	int n;

	do {
		for (int i = 0; i < BATCH; i++) {
			iov[i] = (struct iovec){ .iov_base = data[i], .iov_len = sizeof(data[i]) };
			h[i] = (struct mmsghdr){ .msg_hdr = { .msg_iov = &iov[i],
							      .msg_iovlen = 1,
							      .msg_name = &from[i].ss,
							      .msg_namelen = sizeof(from[i].ss) } };
		}
		/* an error is nobody there, or an ICMP answer to something sent before */
		n = recvmmsg(m->fd, h, BATCH, MSG_DONTWAIT, NULL);
		for (int i = 0; i < n; i++) {
			from[i].len = h[i].msg_hdr.msg_namelen;
			datagram(m, data[i], h[i].msg_len, &from[i]);
		}
		total += n > 0 ? (unsigned int)n : 0;
	} while (n == BATCH && total < DATAGRAMS_PER_TURN);
	return total;
}

static uint64_t on_grid(uint64_t at_ms)
{
	return (at_ms + GRID_MS - 1) / GRID_MS * GRID_MS;
}

/*
 * Where many nodes report, each datagram would wake us up for itself. When they come thick they are
 * fetched at the grid instead, until there was a gap.
 */
static void on_fetch(void *owner)
{
	struct membership *m = owner;

	m->fetch = (struct ev_ref){ 0 };
	if (!drain(m) ||
	    loop_add_timer(m->node->loop, on_grid(now_of(m) + 1), on_fetch, m, &m->fetch) < 0)
		loop_set_fd(m->node->loop, m->ev, EPOLLIN);
}

static void on_udp(void *owner, uint32_t events)
{
	struct membership *m = owner;
	bool thick = now_of(m) - m->udp_ms < GRID_MS;

	m->udp_ms = now_of(m);
	(void)drain(m);
	if (thick &&
	    loop_add_timer(m->node->loop, on_grid(now_of(m) + 1), on_fetch, m, &m->fetch) == 0)
		loop_set_fd(m->node->loop, m->ev, 0);
}

/* ---- clock ---- */

static void on_tick(void *owner)
{
	struct membership *m = owner;

	m->tick = (struct ev_ref){ 0 };
	m->tick_ms = 0;
	cluster_tick(m->cluster, now_of(m));
	retick(m);
}

static void retick(struct membership *m)
{
	uint64_t at = on_grid(cluster_deadline(m->cluster));

	if (m->tick.slot && m->tick_ms == at)
		return;
	loop_remove(m->node->loop, &m->tick);
	m->tick_ms = at;
	(void)!loop_add_timer(m->node->loop, at, on_tick, m, &m->tick);
}

/* so that who looks for us knows where to ask first */
static void keep_heads(struct membership *m)
{
	const struct directory *d = m->node->directory;

	for (uint32_t i = 0; i < directory_count(d); i++)
		if (directory_at(d, i)->role == ROLE_HEAD)
			pairs_want(m->node->pairs, directory_at(d, i)->id);
}

static void on_load(void *owner)
{
	struct membership *m = owner;
	struct cluster_tune tune;
	unsigned int guests;
	struct load l;

	cluster_tune_default(&tune);
	load_sample(m->load, now_of(m), &l);
	guests = streams_guests(m->node->streams);
	if (m->node->moves) /* not yet while the node is being built */
		guests += moves_guests(m->node->moves);
	l.guests = (uint8_t)(guests < 255 ? guests : 255);
	cluster_set_load(m->cluster, now_of(m), &l);
	if (m->node->set.relayed)
		keep_heads(m);
	retick(m);
	(void)!loop_add_timer(m->node->loop, on_grid(now_of(m) + tune.load_ms), on_load, m,
			      &m->load_timer);
}

/* ---- notices of the revocation list ---- */

static void notice_one(void *owner, uint32_t id)
{
	struct membership *m = owner;
	Cmx__Notice msg = CMX__NOTICE__INIT;

	msg.revocation_epoch = revoked_epoch(m->node->revoked);
	membership_send(m, id, PAYLOAD_NOTICE, &msg);
}

static void on_notice(void *owner)
{
	struct membership *m = owner;

	m->notice_timer = (struct ev_ref){ 0 };
	pairs_each(m->node->pairs, notice_one, m);
	if (m->notices && --m->notices)
		(void)!loop_add_timer(m->node->loop, now_of(m) + NOTICE_MS, on_notice, m,
				      &m->notice_timer);
}

void membership_notice(struct membership *m)
{
	size_t len;
	const void *p = revoked_statement(m->node->revoked, &len);

	if (!p)
		return;
	relay_send_statement(m->node->relay, p, len);
	m->notices = NOTICES;
	loop_remove(m->node->loop, &m->notice_timer);
	(void)!loop_add_timer(m->node->loop, now_of(m), on_notice, m, &m->notice_timer);
}

/* ---- the other parts ---- */

void membership_paired(struct membership *m, uint32_t id)
{
	const struct dir_entry *d = directory_get(m->node->directory, id);

	if (d && role_is_core(d->role))
		bulletin_ask(m->node->bulletin, id);
}

void membership_link(struct membership *m, uint32_t id, bool up)
{
	const struct dir_entry *d = directory_get(m->node->directory, id);

	if (d && d->relayed)
		cluster_peer_link(m->cluster, now_of(m), id, up);
	retick(m);
}

void membership_revoked(struct membership *m, uint32_t id)
{
	/* -EINVAL: our own number. Others will hang up on us, and say why */
	(void)!cluster_peer_revoked(m->cluster, now_of(m), id);
	mark(m, id);
}

bool membership_is_up(const struct membership *m, uint32_t id)
{
	struct cluster_view v;

	return membership_view_id(m, id, &v) == 0 &&
	       (v.state == CLUSTER_ALIVE || v.state == CLUSTER_SUSPECT ||
		v.state == CLUSTER_UNHEARD);
}

uint32_t membership_count(const struct membership *m)
{
	return cluster_count(m->cluster);
}

void membership_view(const struct membership *m, uint32_t i, struct cluster_view *ret)
{
	cluster_view_at(m->cluster, now_of(m), i, ret);
}

int membership_view_id(const struct membership *m, uint32_t id, struct cluster_view *ret)
{
	return cluster_view_id(m->cluster, now_of(m), id, ret);
}

void membership_listen(struct membership *m, void (*fn)(void *owner, uint32_t id), void *owner)
{
	m->fn = fn;
	m->owner = owner;
}

void membership_stats(const struct membership *m,
		      void (*fn)(void *owner, const char *name, uint64_t value), void *owner)
{
	struct cluster_stats s;

	cluster_stats(m->cluster, &s);
#define STAT_ROW(name, help) fn(owner, "cluster_" #name, s.name);
	CLUSTER_STATS(STAT_ROW)
#undef STAT_ROW
	fn(owner, "cluster_health", s.health);
	fn(owner, "cluster_memory_bytes", s.memory_bytes);
}

uint32_t membership_best(struct membership *m, uint32_t *ret_ids, uint32_t max)
{
	return cluster_best(m->cluster, now_of(m), ret_ids, max);
}

void membership_leave(struct membership *m)
{
	cluster_leave(m->cluster, now_of(m));
}

/* ---- life ---- */

static const struct cluster_ops cluster_ops = {
	.send = on_send,
	.changed = on_changed,
	.unlisted = on_unlisted,
};

static int start_cluster(struct membership *m, struct err *e)
{
	struct node *n = m->node;
	struct cluster_config cfg = { .id = n->self.id,
				      .name = n->self.name,
				      .role = cluster_roles[n->self.role],
				      .seed = rand_u64() };
	struct load_profile profile;
	int r;

	cluster_tune_default(&cfg.tune);
	r = cluster_new(&cfg, &cluster_ops, m, now_of(m), &m->cluster, e);
	if (r < 0)
		return r;
	load_profile_of(m->load, &profile);
	cluster_set_profile(m->cluster, now_of(m), &profile);
	for (uint32_t i = 0; i < directory_count(n->directory); i++)
		if (directory_at(n->directory, i)->id != n->self.id)
			list_in_cluster(m, directory_at(n->directory, i));
	on_load(m);
	return 0;
}

int membership_open(struct node *n, struct membership **ret, struct err *e)
{
	struct membership *m = calloc(1, sizeof(*m));
	int r;

	if (!m)
		return err_set(e, -ENOMEM, "out of memory");
	m->node = n;
	m->fd = -1;
	r = load_sampler_new(&m->load);
	if (!r && !n->set.relayed) {
		r = sock_udp_bind(&n->set.listen_addr, &m->fd, e);
		if (!r)
			r = loop_add_fd(n->loop, m->fd, EPOLLIN, on_udp, m, &m->ev);
	}
	if (!r)
		r = start_cluster(m, e);
	if (r < 0) {
		membership_close(m);
		return r;
	}
	*ret = m;
	return 0;
}

void membership_close(struct membership *m)
{
	struct loop *l;

	if (!m)
		return;
	l = m->node->loop;
	loop_remove(l, &m->ev);
	loop_remove(l, &m->tick);
	loop_remove(l, &m->load_timer);
	loop_remove(l, &m->dirty_timer);
	loop_remove(l, &m->notice_timer);
	loop_remove(l, &m->fetch);
	cluster_free(m->cluster);
	load_sampler_free(m->load);
	fd_close(&m->fd);
	free(m);
}
