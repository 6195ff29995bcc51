/* SPDX-License-Identifier: GPL-2.0-or-later */
/* membership.c - drives the pure cluster code: clock, UDP, CONTROL streams, directory, load */
#include "node/membership.h"

#include <errno.h>
#include <netinet/in.h>

#include "cluster/cluster.h"
#include "log/log.h"
#include "loop/loop.h"
#include "net/seal.h"
#include "node/directory.h"
#include "node/expel.h"
#include "node/load.h"
#include "node/node.h"
#include "node/pairs.h"
#include "node/relay.h"
#include "node/revoked.h"
#include "node/streams.h"
#include "os/fd.h"
#include "os/rand.h"
#include "wire/message.h"

#define ASK_EVERY_MS	   10000
#define ASK_PAUSE_MS	   200 /* between two askings because of an unknown number */
#define NOTICE_MS	   300
#define NOTICES		   3
#define DATAGRAMS_PER_TURN 64
#define DIRTY_MAX	   256
#define SOURCES		   8 /* core members whose directory we follow */
#define TELL_BYTES	   1150
#define NO_KEY_PER_SECOND  32
#define NO_KEY_LEN	   16
#define NO_KEY_VERSION	   2

/* how far we have read a core member's directory */
struct source {
	uint32_t id, instance;
	uint64_t serial, used_ms;
};

struct membership {
	struct node *node;
	struct cluster *cluster;
	struct load_sampler *load;
	int fd;
	struct ev_ref ev, tick, load_timer, ask_timer, dirty_timer, notice_timer;
	uint64_t tick_ms;
	uint32_t instance;
	struct source sources[SOURCES];
	uint64_t asked_ms;
	bool ask_wanted;
	uint32_t dirty[DIRTY_MAX];
	unsigned int n_dirty;
	bool all_dirty;
	unsigned int notices; /* still to be sent */
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

static void send_message(struct membership *m, uint32_t to, enum payload what, const void *msg)
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

static struct source *source_of(struct membership *m, uint32_t id, bool make)
{
	struct source *oldest = &m->sources[0];

	for (size_t i = 0; i < SOURCES; i++) {
		if (m->sources[i].id == id)
			return &m->sources[i];
		if (m->sources[i].used_ms < oldest->used_ms)
			oldest = &m->sources[i];
	}
	if (!make)
		return NULL;
	*oldest = (struct source){ .id = id };
	return oldest;
}

static void ask(struct membership *m, uint32_t id)
{
	struct source *s = source_of(m, id, true);
	Cmx__Directory d = CMX__DIRECTORY__INIT;

	s->used_ms = now_of(m);
	m->asked_ms = now_of(m);
	d.instance = s->instance;
	d.serial = s->serial;
	send_message(m, id, PAYLOAD_DIRECTORY_ASK, &d);
}

/* any core member that we can speak with */
static void ask_somebody(struct membership *m)
{
	uint32_t n = directory_count(m->node->directory), from = n ? (uint32_t)rand_u64() % n : 0;

	for (uint32_t i = 0; i < n; i++) {
		const struct dir_entry *d = directory_at(m->node->directory, (from + i) % n);

		if (!role_is_core(d->role) || d->id == m->node->self.id ||
		    !membership_is_up(m, d->id))
			continue;
		if (!pairs_have(m->node->pairs, d->id) && !relay_holds(m->node->relay, d->id))
			continue;
		ask(m, d->id);
		return;
	}
}

static void on_ask(void *owner);

static void ask_at(struct membership *m, uint64_t at_ms)
{
	loop_remove(m->node->loop, &m->ask_timer);
	(void)!loop_add_timer(m->node->loop, at_ms, on_ask, m, &m->ask_timer);
}

static void on_ask(void *owner)
{
	struct membership *m = owner;

	m->ask_timer = (struct ev_ref){ 0 };
	m->ask_wanted = false;
	ask_somebody(m);
	ask_at(m, now_of(m) + ASK_EVERY_MS / 2 + (uint32_t)rand_u64() % ASK_EVERY_MS);
}

static void on_unlisted(void *ctx, uint32_t id)
{
	struct membership *m = ctx;

	if (m->ask_wanted)
		return;
	m->ask_wanted = true;
	ask_at(m, m->asked_ms + ASK_PAUSE_MS);
}

struct telling {
	Cmx__Directory msg;
	Cmx__DirectoryEntry rows[32], *to[32];
	char addresses[32][SOCK_ADDR_TEXT];
	size_t bytes;
};

static bool tell_add(struct telling *t, const struct dir_entry *d)
{
	size_t i = t->msg.n_entries;
	Cmx__DirectoryEntry *row;

	if (i == ARRAY_LEN(t->rows))
		return false;
	row = &t->rows[i];
	cmx__directory_entry__init(row);
	row->id = d->id;
	row->name = (char *)d->name;
	row->role = (char *)role_name(d->role);
	row->relayed = d->relayed;
	row->stamp = d->stamp;
	if (d->known_address) {
		sock_addr_format(&d->addr, t->addresses[i]);
		row->address = t->addresses[i];
	}
	t->bytes += cmx__directory_entry__get_packed_size(row) + 4;
	if (t->bytes > TELL_BYTES)
		return false;
	t->to[i] = row;
	t->msg.n_entries++;
	return true;
}

static void tell_init(struct telling *t, struct membership *m)
{
	memset(t, 0, sizeof(*t));
	cmx__directory__init(&t->msg);
	t->msg.instance = m->instance;
	t->msg.entries = t->to;
}

static void answer_ask(struct membership *m, uint32_t to, const Cmx__Directory *asked)
{
	uint64_t serial = asked->instance == m->instance ? asked->serial : 0;
	const struct dir_entry *d;
	struct telling t;

	tell_init(&t, m);
	t.msg.serial = serial;
	while ((d = directory_after(m->node->directory, t.msg.serial))) {
		/* stamp 0 is from node.json: hearsay */
		if (d->stamp && d->id != to && !tell_add(&t, d)) {
			t.msg.more = true;
			break;
		}
		t.msg.serial = d->serial;
	}
	if (t.msg.serial != serial || asked->instance != m->instance)
		send_message(m, to, PAYLOAD_DIRECTORY_TELL, &t.msg);
}

struct push {
	struct membership *m;
	struct telling t;
	uint32_t about;
	bool desktops_only;
};

static void push_one(void *owner, uint32_t id)
{
	struct push *p = owner;
	const struct dir_entry *d = directory_get(p->m->node->directory, id);

	if (id == p->about || !d || (p->desktops_only && role_is_core(d->role)))
		return;
	send_message(p->m, id, PAYLOAD_DIRECTORY_TELL, &p->t.msg);
}

/* a core member spreads what it has heard first-hand, and to desktops also what others told it */
static void push(struct membership *m, const struct dir_entry *d, uint32_t from)
{
	struct push p = { .m = m, .about = d->id, .desktops_only = from != 0 };
	const struct directory *dir = m->node->directory;

	tell_init(&p.t, m);
	if (!tell_add(&p.t, d))
		return;
	pairs_each(m->node->pairs, push_one, &p);
	for (uint32_t i = 0; i < directory_count(dir); i++)
		if (directory_at(dir, i)->relayed &&
		    relay_holds(m->node->relay, directory_at(dir, i)->id))
			push_one(&p, directory_at(dir, i)->id);
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
	struct node *n = m->node;

	if (d->id == n->self.id || !d->id || revoked_has(n->revoked, d->id))
		return;
	if (directory_put(n->directory, d) <= 0)
		return;
	list_in_cluster(m, d);
	mark(m, d->id);
	if (role_is_core(n->self.role))
		push(m, d, from);
}

static bool entry_of(const Cmx__DirectoryEntry *row, struct dir_entry *ret)
{
	struct dir_entry d = { .id = row->id, .relayed = row->relayed, .stamp = row->stamp };

	if (!row->stamp || !identity_name_ok(row->name) || role_parse(row->role, &d.role) < 0 ||
	    d.role == ROLE_OPERATOR)
		return false;
	(void)snprintf(d.name, sizeof(d.name), "%s", row->name);
	d.known_address = sock_addr_parse(row->address, &d.addr) == 0;
	*ret = d;
	return true;
}

static void take_tell(struct membership *m, uint32_t from, const Cmx__Directory *told)
{
	const struct dir_entry *teller = directory_get(m->node->directory, from);
	struct source *s = source_of(m, from, false);

	if (!teller || !role_is_core(teller->role))
		return; /* a desktop speaks of itself only, by its HELLO */
	for (size_t i = 0; i < told->n_entries; i++) {
		struct dir_entry d;

		if (entry_of(told->entries[i], &d))
			membership_learn(m, &d, from);
	}
	if (!s || !told->serial) /* 0: told unasked */
		return;
	s->instance = told->instance;
	s->serial = told->serial;
	if (told->more)
		ask(m, from);
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
	send_message(m, from, PAYLOAD_NOTICE, &back);
}

static void retick(struct membership *m);

static void heard_gossip(struct membership *m, uint32_t from, const uint8_t *p, size_t n)
{
	struct gossip_msg msg;
	struct err e;

	if (gossip_decode(p, n, &msg, &e) < 0) {
		count(&m->node->counters, COUNT_gossip_bad);
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
		if (d && p[0] == PAYLOAD_DIRECTORY_ASK && role_is_core(m->node->self.role))
			answer_ask(m, from, d);
		else if (d && p[0] == PAYLOAD_DIRECTORY_TELL)
			take_tell(m, from, d);
		break;
	case PAYLOAD_NOTICE:
		notice = message_get(&cmx__notice__descriptor, p + 1, n - 1, NULL);
		if (notice)
			take_notice(m, from, notice);
		break;
	}
	if (!d && !notice)
		count(&m->node->counters, COUNT_gossip_bad);
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
}

static void on_udp(void *owner, uint32_t events)
{
	struct membership *m = owner;

	for (int i = 0; i < DATAGRAMS_PER_TURN; i++) {
		struct sock_addr from = { .len = sizeof(from.ss) };
		uint8_t d[SEAL_DATAGRAM_MAX + 1];
		ssize_t n = recvfrom(m->fd, d, sizeof(d), MSG_DONTWAIT, (struct sockaddr *)&from.ss,
				     &from.len);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n < 0)
			continue; /* an ICMP error of something sent before */
		datagram(m, d, (size_t)n, &from);
	}
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
	uint64_t at = cluster_deadline(m->cluster);

	if (m->tick.slot && m->tick_ms == at)
		return;
	loop_remove(m->node->loop, &m->tick);
	m->tick_ms = at;
	(void)!loop_add_timer(m->node->loop, at, on_tick, m, &m->tick);
}

static void on_load(void *owner)
{
	struct membership *m = owner;
	struct cluster_tune tune;
	struct load l;

	cluster_tune_default(&tune);
	load_sample(m->load, now_of(m), &l);
	l.guests = (uint8_t)(streams_guests(m->node->streams) < 255
				     ? streams_guests(m->node->streams)
				     : 255);
	cluster_set_load(m->cluster, now_of(m), &l);
	retick(m);
	(void)!loop_add_timer(m->node->loop, now_of(m) + tune.load_ms, on_load, m, &m->load_timer);
}

/* ---- notices of the revocation list ---- */

static void notice_one(void *owner, uint32_t id)
{
	struct membership *m = owner;
	Cmx__Notice msg = CMX__NOTICE__INIT;

	msg.revocation_epoch = revoked_epoch(m->node->revoked);
	send_message(m, id, PAYLOAD_NOTICE, &msg);
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
		ask(m, id);
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
	on_ask(m);
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
	m->instance = (uint32_t)rand_u64() | 1;
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
	loop_remove(l, &m->ask_timer);
	loop_remove(l, &m->dirty_timer);
	loop_remove(l, &m->notice_timer);
	cluster_free(m->cluster);
	load_sampler_free(m->load);
	fd_close(&m->fd);
	free(m);
}
