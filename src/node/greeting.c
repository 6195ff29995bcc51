/* SPDX-License-Identifier: GPL-2.0-or-later */
/* greeting.c - HELLO: what two nodes tell each other first, and what they learn from it */
#include "node/greeting.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>

#include "config.h"
#include "log/log.h"
#include "loop/loop.h"
#include "net/conn.h"
#include "net/seal.h"
#include "node/directory.h"
#include "node/expel.h"
#include "node/membership.h"
#include "node/node.h"
#include "node/pairs.h"
#include "node/revoked.h"
#include "wire/message.h"

#define PAIR_MS 5000 /* for the whole exchange after HELLO */

int greeting_send(struct node *n, struct conn *c, Cmx__Want want, uint32_t target, uint64_t call)
{
	Cmx__Hello h = CMX__HELLO__INIT;
	char listen[SOCK_ADDR_TEXT];

	sock_addr_format(&n->set.listen_addr, listen);
	h.version_min = PROTOCOL_VERSION_MIN;
	h.version_max = PROTOCOL_VERSION_MAX;
	h.software = (char *)"comosix " COMOSIX_VERSION;
	h.want = want;
	h.target = target;
	h.call = call;
	h.relayed = n->set.relayed;
	if (!n->set.relayed)
		h.address = n->set.advertise ? (char *)n->set.advertise : listen;
	h.stamp = n->stamp;
	h.revocation_epoch = revoked_epoch(n->revoked);
	return conn_send_message(c, FRAME_HELLO, &h);
}

void greeting_refuse(struct conn *c, int status, const char *text)
{
	Cmx__Error m = CMX__ERROR__INIT;

	m.status = (uint32_t)status;
	m.text = (char *)text;
	/* without memory it is closed without a word */
	if (conn_send_message(c, FRAME_ERROR, &m) < 0)
		conn_free(c);
	else
		conn_linger(c);
}

int greeting_read(const struct frame *f, Cmx__Hello **ret, int *ret_status, struct err *e)
{
	Cmx__Hello *h;

	if (f->type == FRAME_ERROR) {
		AUTO_MESSAGE Cmx__Error *m = message_get(&cmx__error__descriptor, f->payload,
							 f->len, e);
		char text[256];

		if (!m)
			return -EPROTO;
		*ret_status = m->status && m->status < 126 ? (int)m->status : 1;
		return err_set(e, -EREMOTE, "%s", log_quote(m->text, text, sizeof(text)));
	}
	if (f->type != FRAME_HELLO)
		return err_set(e, -EPROTO, "%s where HELLO was to come", frame_name(f->type));
	h = message_get(&cmx__hello__descriptor, f->payload, f->len, e);
	if (!h)
		return -EPROTO;
	if (h->version_max < PROTOCOL_VERSION_MIN || h->version_min > PROTOCOL_VERSION_MAX) {
		(void)err_set(
			e, -EPROTONOSUPPORT,
			"it speaks protocol %u to %u, we speak %u to %u; upgrade the older one",
			h->version_min, h->version_max, PROTOCOL_VERSION_MIN, PROTOCOL_VERSION_MAX);
		protobuf_c_message_free_unpacked(&h->base, NULL);
		return -EPROTONOSUPPORT;
	}
	*ret = h;
	return 0;
}

/* "0.0.0.0:4660": the port counts, the address is the one the connection shows */
static bool fill_wildcard(struct sock_addr *a, const struct sock_addr *seen)
{
	struct sockaddr_in *in = (struct sockaddr_in *)&a->ss;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&a->ss;

	if (a->ss.ss_family == AF_INET && in->sin_addr.s_addr == htonl(INADDR_ANY)) {
		if (!seen || seen->ss.ss_family != AF_INET)
			return false;
		in->sin_addr = ((const struct sockaddr_in *)&seen->ss)->sin_addr;
	} else if (a->ss.ss_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&in6->sin6_addr)) {
		if (!seen || seen->ss.ss_family != AF_INET6)
			return false;
		in6->sin6_addr = ((const struct sockaddr_in6 *)&seen->ss)->sin6_addr;
	}
	return true;
}

void greeting_learn(struct node *n, const struct identity *peer, const Cmx__Hello *h,
		    const struct sock_addr *seen)
{
	struct dir_entry d = { .id = peer->id,
			       .role = peer->role,
			       .relayed = h->relayed,
			       .stamp = h->stamp ? h->stamp : 1 };

	(void)snprintf(d.name, sizeof(d.name), "%s", peer->name);
	d.known_address = !h->relayed && sock_addr_parse(h->address, &d.addr) == 0 &&
			  fill_wildcard(&d.addr, seen);
	membership_learn(n->membership, &d, 0);
}

/* ---- PAIR ---- */

struct pairing {
	struct node *node;
	struct conn *conn;
	uint32_t id;
};

static void pairing_over(struct pairing *p)
{
	conn_linger(p->conn);
	free(p);
}

static void on_opened(void *owner)
{
}

static void on_received(void *owner)
{
	struct pairing *p = owner;
	struct buf *in = conn_in(p->conn);
	struct frame f;
	struct err e;
	int r;

	while ((r = frame_take(in, &f, &e)) == 1) {
		if (f.type == FRAME_STATEMENT)
			expel_take(p->node, f.payload, f.len, p->id);
		buf_eat(in, FRAME_HEADER + f.len);
	}
	conn_ate(p->conn);
	if (r < 0 || conn_ended(p->conn))
		pairing_over(p);
}

static void on_closed(void *owner, const struct err *why)
{
	struct pairing *p = owner;

	conn_free(p->conn);
	free(p);
}

static const struct conn_ops pairing_ops = {
	.opened = on_opened,
	.received = on_received,
	.closed = on_closed,
};

static int make_key(struct node *n, struct conn *c, uint32_t id, bool connected, struct err *e)
{
	uint8_t material[SEAL_MATERIAL];
	struct seal *s;
	int r = conn_export(c, TLS_EXPORT_PAIR, material, sizeof(material), e);

	if (!r)
		r = seal_new(material, connected, &s);
	explicit_bzero(material, sizeof(material));
	return r < 0 ? r : pairs_add(n->pairs, id, s, conn_peer(c)->not_after);
}

void greeting_pair(struct node *n, struct conn *c, uint32_t id, bool connected, const Cmx__Hello *h)
{
	struct pairing *p = calloc(1, sizeof(*p));
	size_t len;
	const void *st = revoked_statement(n->revoked, &len);
	struct err e;
	int r = p ? make_key(n, c, id, connected, &e) : -ENOMEM;

	if (!r && st && revoked_epoch(n->revoked) > h->revocation_epoch)
		r = conn_send_frame(c, FRAME_STATEMENT, st, len);
	if (r < 0) {
		free(p);
		conn_free(c);
		return;
	}
	*p = (struct pairing){ .node = n, .conn = c, .id = id };
	conn_own(c, &pairing_ops, p);
	conn_deadline(c, loop_now(n->loop) + PAIR_MS);
	conn_end(c);
	membership_paired(n->membership, id);
}
