/* SPDX-License-Identifier: GPL-2.0-or-later */
/* transport.c - what two halves speak through: the stream of two daemons, without the daemons */
#include "node/transport.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

#include "base/list.h"
#include "loop/loop.h"
#include "net/conn.h"
#include "net/splice.h"
#include "node/node.h"
#include "os/fd.h"

/* one that goes through us */
struct bridge {
	struct list link;
	uint32_t peer;
	struct splice *splice;
};

struct transports {
	struct node *node;
	struct list bridges;
};

int transports_new(struct node *n, struct transports **ret)
{
	struct transports *all = calloc(1, sizeof(*all));

	if (!all)
		return -ENOMEM;
	all->node = n;
	list_init(&all->bridges);
	*ret = all;
	return 0;
}

static void bridge_free(struct bridge *b)
{
	list_del(&b->link);
	splice_abort(b->splice);
	free(b);
}

static void on_over(void *owner)
{
	struct bridge *b = owner;

	b->splice = NULL;
	bridge_free(b);
}

void transports_drop(struct transports *all, uint32_t peer)
{
	list_for_each_safe (l, &all->bridges) {
		struct bridge *b = list_entry(l, struct bridge, link);

		if (b->peer == peer)
			bridge_free(b);
	}
}

void transports_free(struct transports *all)
{
	if (!all)
		return;
	list_for_each_safe (l, &all->bridges)
		bridge_free(list_entry(l, struct bridge, link));
	free(all);
}

int transport_prepare(struct conn *c, struct transport *ret, struct err *e)
{
	struct transport t = { .conn = c, .fd = -1, .pair = -1 };
	int fds[2], r = conn_export(c, TLS_EXPORT_MOVE, t.key, sizeof(t.key), e);

	if (r < 0)
		return r;
	if (conn_layers(c) == 1) {
		t.fd = fcntl(conn_fd(c), F_DUPFD_CLOEXEC, 0);
		if (t.fd < 0)
			return err_set(e, -errno, "copy a connection: %s", strerror(errno));
	} else {
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) < 0)
			return err_set(e, -errno, "socketpair: %s", strerror(errno));
		t.fd = fds[0];
		t.pair = fds[1];
	}
	*ret = t;
	return 0;
}

static void nothing(void *owner)
{
}

static void never(void *owner, const struct err *why)
{
}

/* for the moment until the splice owns it */
static const struct conn_ops no_ops = { .opened = nothing, .received = nothing, .closed = never };

static int join(struct transports *all, struct transport *t, uint32_t peer, struct err *e)
{
	struct bridge *b = calloc(1, sizeof(*b));
	struct conn *near = NULL;
	int r;

	if (!b)
		return err_set(e, -ENOMEM, "out of memory");
	r = conn_new(all->node->loop, t->pair, &no_ops, NULL, &near, e);
	if (!r) {
		t->pair = -1; /* near's */
		r = splice_new(near, t->conn, on_over, b, &b->splice);
		if (r < 0) {
			conn_free(near);
			(void)err_set(e, r, "out of memory");
		}
	}
	if (r < 0) {
		free(b);
		return r;
	}
	b->peer = peer;
	list_add(&all->bridges, &b->link);
	t->conn = NULL;
	return 0;
}

int transport_settle(struct transports *all, struct transport *t, uint32_t peer, struct err *e)
{
	int fd, r;

	if (t->pair >= 0)
		return join(all, t, peer, e);
	r = conn_detach(t->conn, &fd, e);
	if (r < 0)
		return r;
	t->conn = NULL;
	fd_close(&fd); /* the half has its copy */
	return 0;
}

void transport_done(struct transport *t)
{
	conn_free(t->conn);
	t->conn = NULL;
	fd_close(&t->fd);
	fd_close(&t->pair);
	explicit_bzero(t->key, sizeof(t->key));
}
