/* SPDX-License-Identifier: GPL-2.0-or-later */
/* commands.c - the local socket: what commands of this node ask their daemon */
#include "node/commands.h"

#include <errno.h>
#include <sys/stat.h>

#include "base/list.h"
#include "cluster/cluster.h"
#include "config.h"
#include "log/log.h"
#include "loop/loop.h"
#include "net/conn.h"
#include "node/authorize.h"
#include "node/directory.h"
#include "node/expel.h"
#include "node/greeting.h"
#include "node/jobs.h"
#include "node/membership.h"
#include "node/moves.h"
#include "node/node.h"
#include "node/revoked.h"
#include "node/streams.h"
#include "os/fd.h"
#include "os/file.h"
#include "os/sock.h"
#include "wire/message.h"

#define REFRESH_MS  1000   /* loads are told to followers this often */
#define FOLLOW_HIGH 524288 /* a follower that takes nothing misses refreshes above this */
#define STATUS_MAX  64	   /* counters in a STATUS */
#define RESUME_MS   1000   /* pause when there are no fds */

enum stage {
	CLIENT_OPEN,	/* has asked nothing yet */
	CLIENT_FOLLOWS, /* MEMBERS with follow */
};

struct client {
	struct list link;
	struct commands *all;
	struct conn *conn;
	enum stage stage;
	uid_t uid;
	pid_t pid;
};

struct commands {
	struct node *node;
	int fd;
	char path[PATH_MAX];
	struct ev_ref ev, refresh, resume;
	struct list clients;
	unsigned int n, followers;
};

static void client_free(struct client *c)
{
	list_del(&c->link);
	c->all->n--;
	if (c->stage == CLIENT_FOLLOWS)
		c->all->followers--;
	conn_free(c->conn);
	free(c);
}

static struct conn *client_release(struct client *c)
{
	struct conn *conn = c->conn;

	c->conn = NULL;
	client_free(c);
	return conn;
}

/* ---- MEMBERS ---- */

static uint64_t bytes_of(uint16_t units_16mib)
{
	return (uint64_t)units_16mib << 24;
}

/* an address text lives in @text */
static void fill_member(const struct node *n, const struct cluster_view *v, Cmx__Member *m,
			char *text)
{
	const struct dir_entry *d = directory_get(n->directory, v->id);

	cmx__member__init(m);
	m->id = v->id;
	m->self = v->self;
	m->name = (char *)(v->self ? n->self.name : d ? d->name : v->name);
	m->role = (char *)cluster_role_name(v->role);
	if (!v->listed && !v->self) { /* revoked before we started: all we know is the list */
		const char *name = revoked_name(n->revoked, v->id);

		/* unless the name is somebody else's by now */
		m->name = (char *)(directory_find(n->directory, name) ? "" : name);
		m->role = (char *)"";
	}
	m->state = (char *)cluster_state_name(v->state);
	m->incarnation = v->incarnation;
	m->relayed = v->self ? n->set.relayed : d && d->relayed;
	if (v->self && !n->set.relayed) {
		if (n->set.advertise)
			m->address = (char *)n->set.advertise;
		else
			sock_addr_format(&n->set.listen_addr, m->address = text);
	} else if (d && d->known_address) {
		sock_addr_format(&d->addr, m->address = text);
	}
	if (v->has_profile) {
		m->cpus = v->profile.cpus;
		m->speed = v->profile.speed;
		m->memory_bytes = bytes_of(v->profile.mem_16mib);
	}
	if (v->has_load) {
		m->load_percent = (uint32_t)v->load.run_centi * (m->cpus ? m->cpus : 1);
		m->memory_free_bytes = bytes_of(v->load.free_16mib);
		m->guests = v->load.guests;
		m->age_ms = v->load_age_ms < UINT32_MAX ? (uint32_t)v->load_age_ms : UINT32_MAX;
	}
}

static int send_member(struct client *c, const struct cluster_view *v)
{
	char text[SOCK_ADDR_TEXT];
	Cmx__Member m;

	fill_member(c->all->node, v, &m, text);
	if (!m.name[0])
		return 0; /* a number without a name yet */
	return conn_send_message(c->conn, FRAME_MEMBER, &m);
}

/* those with a load sample younger than that */
static int send_members(struct client *c, uint64_t younger_ms)
{
	struct membership *ms = c->all->node->membership;
	int r = 0;

	for (uint32_t i = 0; i < membership_count(ms) && !r; i++) {
		struct cluster_view v;

		membership_view(ms, i, &v);
		if (younger_ms && (!v.has_load || v.load_age_ms > younger_ms))
			continue;
		r = send_member(c, &v);
	}
	return r;
}

static void on_refresh(void *owner)
{
	struct commands *all = owner;

	all->refresh = (struct ev_ref){ 0 };
	list_for_each (l, &all->clients) {
		struct client *c = list_entry(l, struct client, link);

		if (c->stage == CLIENT_FOLLOWS && CONN_OUT_MAX - conn_room(c->conn) < FOLLOW_HIGH)
			(void)!send_members(c, REFRESH_MS); /* full: the next one tells it */
	}
	if (all->followers)
		(void)!loop_add_timer(all->node->loop, loop_now(all->node->loop) + REFRESH_MS,
				      on_refresh, all, &all->refresh);
}

/* a change must not be missed: who cannot take it is cut off and asks again */
static void on_member(void *owner, uint32_t id)
{
	struct commands *all = owner;

	list_for_each_safe (l, &all->clients) {
		struct client *c = list_entry(l, struct client, link);
		struct cluster_view v;
		int r = 0;

		if (c->stage != CLIENT_FOLLOWS)
			continue;
		if (!id)
			r = send_members(c, 0);
		else if (membership_view_id(all->node->membership, id, &v) == 0)
			r = send_member(c, &v);
		if (r < 0)
			client_free(c);
	}
}

static void do_members(struct client *c, const Cmx__Open *m)
{
	AUTO_MESSAGE Cmx__MembersRequest *rq = message_get(&cmx__members_request__descriptor,
							   m->body.data, m->body.len, NULL);
	struct commands *all = c->all;
	Cmx__OpenOk ok = CMX__OPEN_OK__INIT;
	Cmx__Member end = CMX__MEMBER__INIT;
	int r;

	if (!rq) {
		greeting_refuse(client_release(c), 1, "that is no MEMBERS request");
		return;
	}
	end.end_of_snapshot = true;
	ok.node = all->node->self.name;
	r = conn_send_message(c->conn, FRAME_OPEN_OK, &ok);
	if (!r)
		r = send_members(c, 0);
	if (!r)
		r = conn_send_message(c->conn, FRAME_MEMBER, &end);
	if (r < 0) {
		client_free(c);
		return;
	}
	if (!rq->follow) {
		conn_linger(client_release(c));
		return;
	}
	c->stage = CLIENT_FOLLOWS;
	all->followers++;
	conn_deadline(c->conn, 0);
	if (!all->refresh.slot)
		(void)!loop_add_timer(all->node->loop, loop_now(all->node->loop) + REFRESH_MS,
				      on_refresh, all, &all->refresh);
}

/* ---- STATUS ---- */

struct status_rows {
	Cmx__Counter rows[STATUS_MAX], *to[STATUS_MAX];
	size_t n;
};

static void add_row(void *owner, const char *name, uint64_t value)
{
	struct status_rows *s = owner;

	if (s->n == STATUS_MAX)
		return;
	cmx__counter__init(&s->rows[s->n]);
	s->rows[s->n].name = (char *)name;
	s->rows[s->n].value = value;
	s->to[s->n] = &s->rows[s->n];
	s->n++;
}

static void do_status(struct client *c, const Cmx__Open *open)
{
	struct node *n = c->all->node;
	Cmx__OpenOk ok = CMX__OPEN_OK__INIT;
	Cmx__Status m = CMX__STATUS__INIT;
	struct status_rows s = { 0 };

	for (int i = 0; i < N_COUNTERS; i++)
		add_row(&s, counter_name((enum counter)i), n->counters.n[i]);
	add_row(&s, "guests", moves_guests(n->moves));
	add_row(&s, "away", moves_away(n->moves));
	membership_stats(n->membership, add_row, &s);
	ok.node = n->self.name;
	m.id = n->self.id;
	m.name = n->self.name;
	m.role = (char *)role_name(n->self.role);
	m.cluster = n->self.cluster;
	m.software = (char *)"comosix " COMOSIX_VERSION;
	m.certificate_end = n->self.not_after;
	m.revocation_epoch = revoked_epoch(n->revoked);
	m.n_counters = s.n;
	m.counters = s.to;
	if (conn_send_message(c->conn, FRAME_OPEN_OK, &ok) < 0 ||
	    conn_send_message(c->conn, FRAME_STATUS, &m) < 0)
		client_free(c);
	else
		conn_linger(client_release(c));
}

/* ---- the others ---- */

static void do_statement(struct client *c, const Cmx__Open *m)
{
	struct node *n = c->all->node;
	Cmx__OpenOk ok = CMX__OPEN_OK__INIT;
	struct err e;

	if (expel_statement(n, m->body.data, m->body.len, 0, &e) < 0) {
		greeting_refuse(client_release(c), 5, e.text);
		return;
	}
	ok.node = n->self.name;
	if (conn_send_message(c->conn, FRAME_OPEN_OK, &ok) < 0)
		client_free(c);
	else
		conn_linger(client_release(c));
}

static void do_job(struct client *c, const Cmx__Open *m)
{
	struct node *n = c->all->node;
	AUTO_MESSAGE Cmx__JobRequest *rq = message_get(&cmx__job_request__descriptor, m->body.data,
						       m->body.len, NULL);
	Cmx__OpenOk ok = CMX__OPEN_OK__INIT;
	const struct ask a = { .from = PARTY_LOCAL,
			       .self = party_of_role(role_name(n->self.role)),
			       .kind = m->kind,
			       .uid = c->uid };
	const char *no = authorize_open(&a);
	struct job_spec spec;
	struct err e;

	if (no || !rq) {
		greeting_refuse(client_release(c), no ? 5 : 1, no ? no : "that is no JOB request");
		return;
	}
	spec = (struct job_spec){ .stay = rq->local,
				  .paths = rq->paths,
				  .n_paths = rq->n_paths,
				  .checkpoint_ms = rq->checkpoint_ms,
				  .checkpoint_max = rq->checkpoint_max,
				  .checkpoint_dir = rq->checkpoint_dir };
	if (jobs_enter(n->jobs, c->pid, c->uid, &spec, &e) < 0) {
		greeting_refuse(client_release(c), 1, e.text);
		return;
	}
	ok.node = n->self.name;
	if (conn_send_message(c->conn, FRAME_OPEN_OK, &ok) < 0)
		client_free(c);
	else
		conn_linger(client_release(c));
}

static void do_open(struct client *c, const Cmx__Open *m)
{
	struct streams *s = c->all->node->streams;
	uid_t uid = c->uid;

	conn_deadline(c->conn, 0);
	streams_local(s, client_release(c), m, uid);
}

static void serve(struct client *c, const Cmx__Open *m)
{
	switch (m->kind) {
	case CMX__OPEN_KIND__OPEN_MEMBERS:
		do_members(c, m);
		return;
	case CMX__OPEN_KIND__OPEN_STATUS:
		do_status(c, m);
		return;
	case CMX__OPEN_KIND__OPEN_STATEMENT:
		do_statement(c, m);
		return;
	case CMX__OPEN_KIND__OPEN_EXEC:
	case CMX__OPEN_KIND__OPEN_TASK:
	case CMX__OPEN_KIND__OPEN_MIGRATE:
	case CMX__OPEN_KIND__OPEN_MOVES:
		do_open(c, m);
		return;
	case CMX__OPEN_KIND__OPEN_JOB:
		do_job(c, m);
		return;
	case CMX__OPEN_KIND__OPEN_NONE:
	case CMX__OPEN_KIND__OPEN_MOVE:
	case _CMX__OPEN_KIND_IS_INT_SIZE:
		break;
	}
	greeting_refuse(client_release(c), 1, "this comosixd does not know that request");
}

/* ---- clients ---- */

static void on_opened(void *owner)
{
}

static void on_received(void *owner)
{
	struct client *c = owner;
	AUTO_MESSAGE Cmx__Open *m = NULL;
	struct buf *in = conn_in(c->conn);
	struct frame f;
	struct err e;
	int r;

	if (c->stage == CLIENT_FOLLOWS) {
		buf_eat(in, in->len); /* it has nothing to say but that it goes */
		conn_ate(c->conn);
		if (conn_ended(c->conn))
			client_free(c);
		return;
	}
	r = frame_take(in, &f, &e);
	if (r == 0 && conn_ended(c->conn))
		client_free(c);
	if (r == 0)
		return;
	if (r == 1 && f.type != FRAME_OPEN)
		r = err_set(&e, -EPROTO, "%s where OPEN was to come", frame_name(f.type));
	if (r == 1)
		m = message_get(&cmx__open__descriptor, f.payload, f.len, &e);
	if (!m) {
		greeting_refuse(client_release(c), 1, e.text);
		return;
	}
	buf_eat(in, FRAME_HEADER + f.len);
	serve(c, m);
}

static void on_closed(void *owner, const struct err *why)
{
	client_free(owner);
}

static const struct conn_ops client_ops = {
	.opened = on_opened,
	.received = on_received,
	.closed = on_closed,
};

static int take(struct commands *all, int fd, struct err *e)
{
	struct client *c = calloc(1, sizeof(*c));
	struct sock_peer peer;
	int r;

	if (!c)
		return err_set(e, -ENOMEM, "out of memory");
	c->all = all;
	list_add(&all->clients, &c->link);
	all->n++;
	r = sock_peer(fd, &peer, e);
	if (!r)
		r = conn_new(all->node->loop, fd, &client_ops, c, &c->conn, e);
	if (r < 0) {
		client_free(c);
		return r;
	}
	c->uid = peer.uid;
	c->pid = peer.pid;
	conn_deadline(c->conn, loop_now(all->node->loop) + COMMANDS_OPEN_MS);
	return 0;
}

static void on_resume(void *owner)
{
	struct commands *all = owner;

	all->resume = (struct ev_ref){ 0 };
	loop_set_fd(all->node->loop, all->ev, EPOLLIN);
}

static void on_listen(void *owner, uint32_t events)
{
	struct commands *all = owner;
	struct err e;
	int fd, r;

	while ((r = sock_accept(all->fd, NULL, &fd)) == 0) {
		if (all->n >= COMMANDS_MAX || take(all, fd, &e) < 0)
			fd_close(&fd);
	}
	/* out of fds: who waits keeps waiting, and we do not spin */
	if (r != -EAGAIN && r != -ECONNABORTED && r != -EINTR &&
	    loop_add_timer(all->node->loop, loop_now(all->node->loop) + RESUME_MS, on_resume, all,
			   &all->resume) == 0)
		loop_set_fd(all->node->loop, all->ev, 0);
}

int commands_open(struct node *n, struct commands **ret, struct err *e)
{
	struct commands *all = calloc(1, sizeof(*all));
	int r;

	if (!all)
		return err_set(e, -ENOMEM, "out of memory");
	all->node = n;
	all->fd = -1;
	list_init(&all->clients);
	(void)snprintf(all->path, sizeof(all->path), "%s/comosixd.sock", n->set.run);
	r = dir_make(n->set.run, 0755, e);
	if (!r)
		r = sock_unix_listen(all->path, 0666, &all->fd, e);
	if (!r) {
		r = loop_add_fd(n->loop, all->fd, EPOLLIN, on_listen, all, &all->ev);
		if (r < 0)
			(void)err_set(e, r, "watch the socket: %s", strerror(-r));
	}
	if (r < 0) {
		commands_close(all);
		return r;
	}
	membership_listen(n->membership, on_member, all);
	*ret = all;
	return 0;
}

void commands_close(struct commands *all)
{
	if (!all)
		return;
	list_for_each_safe (l, &all->clients)
		client_free(list_entry(l, struct client, link));
	loop_remove(all->node->loop, &all->ev);
	loop_remove(all->node->loop, &all->refresh);
	loop_remove(all->node->loop, &all->resume);
	if (all->fd >= 0)
		(void)unlink(all->path); /* a stale one would be replaced anyway */
	fd_close(&all->fd);
	free(all);
}
