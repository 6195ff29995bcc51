/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * source_cluster.c - workers on the nodes that this node's comosixd knows
 *
 * Theory of operation. One connection to the daemon follows the members; for each worker another
 * one asks for a TASK on a node (docs/PROTOCOL.md section 2). Nodes that live have a place per CPU.
 * Heads have none: they make the report. What a server says is trusted, what a desktop says is not;
 * roles come from certificates, so no desktop can say that it is a server. A node that the daemon
 * no longer calls alive is lost, but one that is only suspected is not: its worker's own beat
 * decides.
 */
#include <errno.h>

#include "blast/run/source.h"
#include "net/local.h"
#include "os/fd.h"
#include "os/sock.h"

#define IN_MAX	    (2 * (FRAME_HEADER + FRAME_PAYLOAD_MAX))
#define READ_STEP   65536
#define SLOTS_MAX   64 /* workers on one node */
#define REQUEST_MAX 4096

struct source_cluster {
	struct source source;
	struct source_setup s;
	int fd;
	struct ev_ref ref;
	struct buf in;
	bool answered, settled;
};

static const char *socket_path(void)
{
	const char *p = getenv("COMOSIX_SOCKET");

	return p && *p ? p : LOCAL_SOCKET_DEFAULT;
}

/* the frame that asks the daemon for something */
static int request(Cmx__OpenKind kind, const char *node, const void *body, struct buf *to)
{
	Cmx__Open open = CMX__OPEN__INIT;
	struct buf b;
	int r;

	buf_init(&b, REQUEST_MAX);
	r = message_pack(&b, body);
	open.kind = kind;
	open.node = (char *)(uintptr_t)node; /* the message is only read */
	open.body.data = b.data;
	open.body.len = b.len;
	if (!r)
		r = message_put(to, FRAME_OPEN, &open);
	buf_done(&b);
	return r;
}

static int cluster_open(struct source *source, const char *node, struct source_stream *ret,
			struct err *e)
{
	Cmx__TaskRequest task = CMX__TASK_REQUEST__INIT;
	char name[] = "blast";
	int r;

	(void)source;
	task.task = name;
	AUTO_CLOSE int fd = -1;

	r = sock_unix_connect(socket_path(), &fd, e);
	if (r < 0)
		return r;
	buf_init(&ret->hello, REQUEST_MAX + FRAME_HEADER);
	r = request(CMX__OPEN_KIND__OPEN_TASK, node, &task, &ret->hello);
	if (r < 0) {
		buf_done(&ret->hello);
		return err_set(e, r, "ask for a worker on '%s': %s", node, strerror(-r));
	}
	ret->fd = fd_take(&fd);
	ret->wait_ok = true;
	return 0;
}

static void take_member(struct source_cluster *c, const Cmx__Member *m)
{
	bool alive = !strcmp(m->state, "alive"), suspect = !strcmp(m->state, "suspect");
	uint32_t slots = m->cpus ? m->cpus : 1;

	if (m->end_of_snapshot) {
		c->settled = true;
		c->s.events->settled(c->s.owner);
		return;
	}
	if (!strcmp(m->role, "head") || strlen(m->name) >= SOURCE_NAME_MAX)
		return;
	if (alive)
		c->s.events->node(c->s.owner, m->name, slots < SLOTS_MAX ? slots : SLOTS_MAX,
				  !strcmp(m->role, "server"));
	else if (!suspect)
		c->s.events->lost(c->s.owner, m->name, m->state);
}

/* the daemon is gone or talks nonsense: the members stay as they were last seen */
static void stop(struct source_cluster *c)
{
	loop_remove(c->s.loop, &c->ref);
	fd_close(&c->fd);
	if (!c->settled) {
		c->settled = true;
		c->s.events->settled(c->s.owner);
	}
}

static int take_frame(struct source_cluster *c, const struct frame *f)
{
	AUTO_MESSAGE Cmx__Member *m = NULL;

	if (!c->answered) {
		c->answered = f->type == FRAME_OPEN_OK;
		return c->answered ? 0 : -EPROTO;
	}
	if (f->type != FRAME_MEMBER)
		return 0; /* a newer daemon may say more */
	m = message_get(&cmx__member__descriptor, f->payload, f->len, NULL);
	if (!m)
		return -EPROTO;
	take_member(c, m);
	return 0;
}

static void on_daemon(void *owner, uint32_t events)
{
	struct source_cluster *c = owner;
	struct frame f;
	uint8_t *to;
	ssize_t n;
	int r = buf_room(&c->in, READ_STEP, &to);

	(void)events; /* read() tells it all */
	n = r < 0 ? 0 : read(c->fd, to, READ_STEP);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		stop(c);
		return;
	}
	buf_grow(&c->in, (size_t)n);
	while ((r = frame_take(&c->in, &f, NULL)) == 1) {
		r = take_frame(c, &f);
		buf_eat(&c->in, FRAME_HEADER + f.len);
		if (r < 0)
			break;
	}
	if (r < 0)
		stop(c);
}

static void cluster_free(struct source *source)
{
	struct source_cluster *c = CONTAINER_OF(source, struct source_cluster, source);

	loop_remove(c->s.loop, &c->ref);
	fd_close(&c->fd);
	buf_done(&c->in);
	free(c);
}

int source_cluster(const struct source_setup *s, struct source **ret, struct err *e)
{
	static const struct source_ops ops = { cluster_open, cluster_free };
	Cmx__MembersRequest members = CMX__MEMBERS_REQUEST__INIT;
	struct source_cluster *c = calloc(1, sizeof(*c));
	struct buf hello;
	int r;

	if (!c)
		return err_set(e, -ENOMEM, "out of memory");
	c->source = (struct source){ &ops, "cluster" };
	c->s = *s;
	c->fd = -1;
	buf_init(&c->in, IN_MAX);
	buf_init(&hello, REQUEST_MAX + FRAME_HEADER);
	members.follow = true;
	r = sock_unix_connect(socket_path(), &c->fd, e);
	if (!r)
		r = request(CMX__OPEN_KIND__OPEN_MEMBERS, "", &members, &hello);
	/* a request of a few bytes fits the empty buffer of a new socket */
	if (!r)
		r = fd_write_all(c->fd, buf_bytes(&hello), hello.len);
	if (!r)
		r = loop_add_fd(s->loop, c->fd, EPOLLIN, on_daemon, c, &c->ref);
	buf_done(&hello);
	if (r < 0) {
		cluster_free(&c->source);
		return err_set(e, r, "no comosixd answers at '%s': %s", socket_path(),
			       strerror(-r));
	}
	*ret = &c->source;
	return 0;
}
