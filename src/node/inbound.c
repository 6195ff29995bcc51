/* SPDX-License-Identifier: GPL-2.0-or-later */
/* inbound.c - connections from other nodes, until it is known what they want */
#include "node/inbound.h"

#include <errno.h>
#include <netinet/in.h>

#include "base/list.h"
#include "log/log.h"
#include "loop/loop.h"
#include "net/conn.h"
#include "node/authorize.h"
#include "node/greeting.h"
#include "node/node.h"
#include "node/pairs.h"
#include "node/relay.h"
#include "node/revoked.h"
#include "node/streams.h"
#include "os/fd.h"
#include "wire/message.h"

#define HELLO_MS	 5000
#define UNKNOWN_MAX	 128 /* connections that have not shown who they are */
#define ACCEPTS_PER_TURN 32
#define PACES		 256
#define PACE_BURST	 300
#define PACE_PER_SECOND	 50    /* connections from one address, after the burst */
#define OFFENDERS	 64    /* addresses remembered for garbage */
#define OFFENCES_MAX	 8     /* so many in a row ... */
#define OFFENCE_MS	 10000 /* ... each forgotten after this time */
#define LOG_EVERY_MS	 5000
#define RESUME_MS	 1000 /* pause when there are no fds */

enum stage {
	GUEST_TLS,
	GUEST_HELLO,
	GUEST_OPEN,
};

struct guest {
	struct list link;
	struct inbound *in;
	struct conn *conn;
	enum stage stage;
	bool relayed; /* came through a relay: has no address of its own */
	struct sock_addr addr;
	char from[SOCK_ADDR_TEXT];
};

struct offender {
	struct sock_addr addr;
	unsigned int offences;
	uint64_t until_ms;
};

/* how fast connections come from an address; another one of the same hash takes its place over */
struct pace {
	struct sock_addr addr;
	uint32_t tokens; /* in 1/1000 of a connection */
	uint64_t at_ms;
};

struct inbound {
	struct node *node;
	int fd;
	struct ev_ref ev, resume;
	struct list guests;
	unsigned int n, n_unknown;
	struct offender offenders[OFFENDERS];
	struct pace paces[PACES];
	struct log_limit bad, full;
};

/* ---- who may come ---- */

static bool same_host(const struct sock_addr *a, const struct sock_addr *b)
{
	if (a->ss.ss_family != b->ss.ss_family)
		return false;
	if (a->ss.ss_family == AF_INET)
		return ((const struct sockaddr_in *)&a->ss)->sin_addr.s_addr ==
		       ((const struct sockaddr_in *)&b->ss)->sin_addr.s_addr;
	return !memcmp(&((const struct sockaddr_in6 *)&a->ss)->sin6_addr,
		       &((const struct sockaddr_in6 *)&b->ss)->sin6_addr, sizeof(struct in6_addr));
}

static struct offender *offender_of(struct inbound *in, const struct sock_addr *a)
{
	for (size_t i = 0; i < OFFENDERS; i++)
		if (in->offenders[i].offences && same_host(&in->offenders[i].addr, a))
			return &in->offenders[i];
	return NULL;
}

static void offend(struct inbound *in, const struct sock_addr *a)
{
	uint64_t now = loop_now(in->node->loop);
	struct offender *o = offender_of(in, a);

	if (!o) {
		o = &in->offenders[0]; /* the one that is forgotten first makes room */
		for (size_t i = 1; i < OFFENDERS; i++)
			if (in->offenders[i].until_ms < o->until_ms)
				o = &in->offenders[i];
		*o = (struct offender){ .addr = *a };
	}
	if (now > o->until_ms)
		o->offences = 0;
	o->offences++;
	o->until_ms = now + OFFENCE_MS;
}

/* it is somebody: what came from there before was others' behind the same address, or is mended */
static void forgive(struct inbound *in, const struct sock_addr *a)
{
	struct offender *o = offender_of(in, a);

	if (o)
		o->offences = 0;
}

static uint32_t hash_of(const struct sock_addr *a)
{
	const uint8_t *p = (const uint8_t *)&((const struct sockaddr_in6 *)&a->ss)->sin6_addr;
	size_t n = sizeof(struct in6_addr);
	uint32_t h = 2166136261U; /* FNV-1a */

	if (a->ss.ss_family == AF_INET) {
		p = (const uint8_t *)&((const struct sockaddr_in *)&a->ss)->sin_addr;
		n = sizeof(struct in_addr);
	}
	while (n--)
		h = (h ^ *p++) * 16777619U;
	return h;
}

/* a handshake costs milliseconds: nobody may have all of ours */
static bool too_fast(struct inbound *in, const struct sock_addr *a)
{
	struct pace *p = &in->paces[hash_of(a) % PACES];
	uint64_t now = loop_now(in->node->loop), gain = (now - p->at_ms) * PACE_PER_SECOND;

	if (!p->at_ms || !same_host(&p->addr, a))
		*p = (struct pace){ .addr = *a, .tokens = PACE_BURST * 1000 };
	else
		p->tokens = gain < PACE_BURST * 1000 - p->tokens ? p->tokens + (uint32_t)gain
								 : PACE_BURST * 1000;
	p->at_ms = now;
	if (p->tokens < 1000)
		return true;
	p->tokens -= 1000;
	return false;
}

static const char *not_welcome(struct inbound *in, const struct sock_addr *a)
{
	const struct settings *set = &in->node->set;
	const struct offender *o = offender_of(in, a);
	unsigned int from_there = 0;

	if (o && o->offences >= OFFENCES_MAX && loop_now(in->node->loop) < o->until_ms)
		return "too much garbage came from there";
	if (in->n >= set->connections)
		return "too many connections";
	if (in->n_unknown >= UNKNOWN_MAX)
		return "too many connections that have not shown who they are";
	list_for_each (l, &in->guests)
		if (same_host(&list_entry(l, struct guest, link)->addr, a))
			from_there++;
	if (from_there >= set->connections_per_address)
		return "too many connections from one address";
	if (too_fast(in, a))
		return "too many connections a second from one address";
	return NULL;
}

/* ---- a guest ---- */

static void guest_free(struct guest *g)
{
	list_del(&g->link);
	g->in->n--;
	if (g->stage == GUEST_TLS)
		g->in->n_unknown--;
	conn_free(g->conn);
	free(g);
}

/* it goes on elsewhere */
static struct conn *guest_release(struct guest *g)
{
	struct conn *c = g->conn;

	g->conn = NULL;
	guest_free(g);
	return c;
}

static void complain(struct guest *g, const char *what)
{
	struct inbound *in = g->in;
	uint32_t dropped;

	if (log_allow(&in->bad, loop_now(in->node->loop), LOG_EVERY_MS, &dropped))
		log_warn("connection from %s: %s; closed (%u more of the kind)", g->from, what,
			 dropped);
}

static int check_peer(void *owner, const struct identity *peer, struct err *e)
{
	struct guest *g = owner;

	if (peer->id == g->in->node->self.id)
		return err_set(e, -EEXIST,
			       "it has our own number %u; was the state directory copied?",
			       peer->id);
	if (!revoked_has(g->in->node->revoked, peer->id))
		return 0;
	count(&g->in->node->counters, COUNT_peers_revoked);
	return err_set(e, -EKEYREVOKED, "%s (%u) is revoked", peer->name, peer->id);
}

static void on_opened(void *owner)
{
	struct guest *g = owner;

	g->stage = GUEST_HELLO;
	g->in->n_unknown--;
	if (!g->relayed)
		forgive(g->in, &g->addr);
	conn_deadline(g->conn, loop_now(g->in->node->loop) + HELLO_MS);
}

static void refuse(struct guest *g, const char *text)
{
	struct node *n = g->in->node;
	char line[320];

	(void)snprintf(line, sizeof(line), "%s asks for what it does not get: %s",
		       conn_peer(g->conn)->name, text);
	count(&n->counters, COUNT_hellos_refused);
	complain(g, line);
	greeting_refuse(guest_release(g), 5, text);
}

/* Return: true when an OPEN is to follow; else the guest is gone */
static bool welcome(struct guest *g, const Cmx__Hello *h)
{
	struct node *n = g->in->node;
	struct conn *c = g->conn;
	uint32_t id = conn_peer(c)->id;

	switch (h->want) {
	case CMX__WANT__WANT_PAIR:
	case CMX__WANT__WANT_CONTROL:
	case CMX__WANT__WANT_OPEN:
		if (greeting_send(n, c, CMX__WANT__WANT_NONE, 0, 0) < 0) {
			guest_free(g);
			return false;
		}
		if (h->want == CMX__WANT__WANT_OPEN) {
			g->stage = GUEST_OPEN;
			return true;
		}
		if (h->want == CMX__WANT__WANT_PAIR)
			greeting_pair(n, guest_release(g), id, false, h);
		else
			relay_control(n->relay, guest_release(g), h);
		return false;
	case CMX__WANT__WANT_RELAY:
		relay_ask(n->relay, guest_release(g), h);
		return false;
	case CMX__WANT__WANT_ACCEPT:
		relay_accept(n->relay, guest_release(g), h);
		return false;
	case CMX__WANT__WANT_NONE:
	case _CMX__WANT_IS_INT_SIZE:
		break;
	}
	refuse(g, "this node does not know what it wants");
	return false;
}

/* Return: as welcome() */
static bool hello(struct guest *g, const struct frame *f)
{
	struct node *n = g->in->node;
	const struct identity *peer = conn_peer(g->conn);
	AUTO_MESSAGE Cmx__Hello *h = NULL;
	const char *no;
	struct err e;
	int status;

	if (greeting_read(f, &h, &status, &e) < 0) {
		refuse(g, e.text);
		return false;
	}
	no = authorize_want(party_of_role(role_name(peer->role)),
			    party_of_role(role_name(n->self.role)), h->want);
	if (no) {
		refuse(g, no);
		return false;
	}
	buf_eat(conn_in(g->conn), FRAME_HEADER + f->len);
	greeting_learn(n, peer, h, g->relayed ? NULL : &g->addr);
	return welcome(g, h);
}

static void open_stream(struct guest *g, const struct frame *f)
{
	struct node *n = g->in->node;
	AUTO_MESSAGE Cmx__Open *m = NULL;
	struct err e;

	if (f->type == FRAME_OPEN)
		m = message_get(&cmx__open__descriptor, f->payload, f->len, &e);
	if (!m) {
		refuse(g, "it sent no OPEN");
		return;
	}
	buf_eat(conn_in(g->conn), FRAME_HEADER + f->len);
	conn_deadline(g->conn, 0);
	streams_serve(n->streams, guest_release(g), m);
}

static void on_received(void *owner)
{
	struct guest *g = owner;
	struct frame f;
	struct err e;
	int r = frame_take(conn_in(g->conn), &f, &e);

	if (r == 1 && g->stage == GUEST_HELLO) {
		if (!hello(g, &f))
			return;
		r = frame_take(conn_in(g->conn), &f, &e);
	}
	if (r == 1) {
		open_stream(g, &f);
		return;
	}
	if (r < 0)
		refuse(g, e.text);
	else if (conn_ended(g->conn))
		guest_free(g);
}

/* one who thinks better of it (a move that is called off), or whose network was cut: no garbage */
static bool has_left(const struct err *why)
{
	return why->code == -EPIPE || why->code == -ECONNRESET;
}

static void on_closed(void *owner, const struct err *why)
{
	struct guest *g = owner;

	if (g->stage == GUEST_TLS) {
		count(&g->in->node->counters, COUNT_handshakes_failed);
		if (!g->relayed && !has_left(why))
			offend(g->in, &g->addr);
	}
	complain(g, why->text);
	guest_free(g);
}

static const struct conn_ops guest_ops = {
	.opened = on_opened,
	.received = on_received,
	.closed = on_closed,
};

static struct guest *guest_new(struct inbound *in, const char *from)
{
	struct guest *g = calloc(1, sizeof(*g));

	if (!g)
		return NULL;
	g->in = in;
	(void)snprintf(g->from, sizeof(g->from), "%s", from);
	list_add(&in->guests, &g->link);
	in->n++;
	in->n_unknown++;
	return g;
}

static void begin(struct guest *g)
{
	struct err e;

	if (conn_secure(g->conn, g->in->node->creds, false, check_peer, g, &e) < 0) {
		complain(g, e.text);
		guest_free(g);
	}
}

void inbound_adopt(struct inbound *in, struct conn *c, const char *from)
{
	struct guest *g = guest_new(in, from);

	if (!g) {
		conn_free(c);
		return;
	}
	g->relayed = true;
	g->conn = c;
	conn_own(c, &guest_ops, g);
	begin(g);
}

static void take(struct inbound *in, int fd, const struct sock_addr *from)
{
	char text[SOCK_ADDR_TEXT];
	struct guest *g;
	struct err e;

	sock_addr_format(from, text);
	g = guest_new(in, text);
	if (!g) {
		fd_close(&fd);
		return;
	}
	g->addr = *from;
	if (sock_tcp_alive(fd, CONN_DEAD_PEER_MS, &e) < 0 ||
	    conn_new(in->node->loop, fd, &guest_ops, g, &g->conn, &e) < 0) {
		complain(g, e.text);
		fd_close(&fd);
		guest_free(g);
		return;
	}
	begin(g);
}

static void on_resume(void *owner)
{
	struct inbound *in = owner;

	in->resume = (struct ev_ref){ 0 };
	loop_set_fd(in->node->loop, in->ev, EPOLLIN);
}

/* out of fds: who waits keeps waiting, and we do not spin */
static void pause_listening(struct inbound *in)
{
	struct node *n = in->node;

	if (loop_add_timer(n->loop, loop_now(n->loop) + RESUME_MS, on_resume, in, &in->resume) < 0)
		return;
	loop_set_fd(n->loop, in->ev, 0);
	log_err("no file descriptor is left for a connection; raise LimitNOFILE of comosixd");
}

static void on_listen(void *owner, uint32_t events)
{
	struct inbound *in = owner;
	struct node *n = in->node;

	for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
		struct sock_addr from;
		const char *no;
		uint32_t dropped;
		int fd;

		int r = sock_accept(in->fd, &from, &fd);

		if (r == -EMFILE || r == -ENFILE || r == -ENOMEM || r == -ENOBUFS)
			pause_listening(in);
		if (r < 0)
			return;
		count(&n->counters, COUNT_connections_in);
		no = not_welcome(in, &from);
		if (!no) {
			take(in, fd, &from);
			continue;
		}
		fd_close(&fd);
		count(&n->counters, COUNT_connections_refused);
		if (log_allow(&in->full, loop_now(n->loop), LOG_EVERY_MS, &dropped)) {
			char text[SOCK_ADDR_TEXT];

			sock_addr_format(&from, text);
			log_warn("connection from %s closed unheard: %s (%u more)", text, no,
				 dropped);
		}
	}
}

void inbound_drop(struct inbound *in, uint32_t id)
{
	list_for_each_safe (l, &in->guests) {
		struct guest *g = list_entry(l, struct guest, link);

		if (g->stage != GUEST_TLS && conn_peer(g->conn)->id == id)
			guest_free(g);
	}
}

int inbound_open(struct node *n, struct inbound **ret, struct err *e)
{
	struct inbound *in = calloc(1, sizeof(*in));
	int r;

	if (!in)
		return err_set(e, -ENOMEM, "out of memory");
	in->node = n;
	in->fd = -1;
	list_init(&in->guests);
	r = n->set.relayed ? 0 : sock_tcp_listen(&n->set.listen_addr, &in->fd, e);
	if (!r && in->fd >= 0)
		r = loop_add_fd(n->loop, in->fd, EPOLLIN, on_listen, in, &in->ev);
	if (r < 0) {
		inbound_close(in);
		return r;
	}
	*ret = in;
	return 0;
}

void inbound_close(struct inbound *in)
{
	if (!in)
		return;
	list_for_each_safe (l, &in->guests)
		guest_free(list_entry(l, struct guest, link));
	loop_remove(in->node->loop, &in->ev);
	loop_remove(in->node->loop, &in->resume);
	fd_close(&in->fd);
	free(in);
}
