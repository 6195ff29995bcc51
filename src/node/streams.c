/* SPDX-License-Identifier: GPL-2.0-or-later */
/* streams.c - EXEC and TASK: from a command here to a node, and from a node to a program here */
#include "node/streams.h"

#include <errno.h>
#include <sys/socket.h>

#include "base/list.h"
#include "log/log.h"
#include "loop/loop.h"
#include "net/conn.h"
#include "net/proof.h"
#include "net/splice.h"
#include "node/authorize.h"
#include "node/dial.h"
#include "node/directory.h"
#include "node/greeting.h"
#include "node/moves.h"
#include "node/names.h"
#include "node/node.h"
#include "node/program.h"
#include "node/revoked.h"
#include "os/clock.h"
#include "os/fd.h"
#include "os/user.h"
#include "wire/message.h"

#define NONCES_MAX 8192

struct stream {
	struct list link;
	struct streams *streams;
	uint32_t peer; /* the node at the other end; 0: this one only */
	uint32_t uid;  /* who asked, as the daemon of his node has it from the kernel */
	char operator[IDENTITY_SERIAL_TEXT]; /* of the credential that stands behind it; or empty */
	struct conn *client;		     /* who asked; the splice's once there is one */
	struct dial *dial;		     /* on the way to the node */
	struct buf request;		     /* the OPEN frame; stamped when its dial runs */
	struct names_wait name;		     /* before it is stamped */
	struct splice *splice;
	struct program *program; /* what runs here for it */
};

struct streams {
	struct node *node;
	struct list all;
	unsigned int n;
	struct nonce_cache *nonces;
	struct programs *programs;
	struct names *names;
};

static void stream_free(struct stream *s)
{
	list_del(&s->link);
	s->streams->n--;
	names_forget(&s->name);
	dial_free(s->dial);
	splice_abort(s->splice);
	conn_free(s->client);
	program_end(s->program);
	buf_done(&s->request);
	free(s);
}

/* the last word to the one who asked */
static void refuse(struct stream *s, int status, const char *text)
{
	struct conn *c = s->client;

	s->client = NULL;
	count(&s->streams->node->counters, COUNT_opens_refused);
	greeting_refuse(c, status, text);
	stream_free(s);
}

static void on_over(void *owner)
{
	struct stream *s = owner;

	s->splice = NULL;
	stream_free(s);
}

static void join(struct stream *s, struct conn *far)
{
	struct conn *near = s->client;

	s->client = NULL;
	if (splice_new(near, far, on_over, s, &s->splice) < 0) {
		conn_free(near);
		conn_free(far);
		stream_free(s);
	}
}

/* ---- until the streams are joined the client may only go away ---- */

static void client_nothing(void *owner)
{
}

static void client_closed(void *owner, const struct err *why)
{
	stream_free(owner);
}

static const struct conn_ops client_ops = {
	.opened = client_nothing,
	.received = client_nothing,
	.closed = client_closed,
};

static void on_name(void *owner, const char *name, const struct err *why);

static bool has_share(const struct streams *all, uint32_t uid)
{
	unsigned int n = 0;

	list_for_each (l, &all->all)
		n += list_entry(l, struct stream, link)->uid == uid;
	return n < all->node->set.streams_per_user;
}

static struct stream *stream_new(struct streams *all, struct conn *c, uint32_t uid)
{
	struct stream *s;
	struct err e;

	count(&all->node->counters, COUNT_opens);
	if (!has_share(all, uid)) {
		(void)err_set(
			&e, -EBUSY,
			"uid %u has %u streams on %s, that is all one user may have; wait for "
			"some to end",
			uid, all->node->set.streams_per_user, all->node->self.name);
		count(&all->node->counters, COUNT_opens_refused);
		greeting_refuse(c, 5, e.text);
		return NULL;
	}
	s = all->n < STREAMS_MAX ? calloc(1, sizeof(*s)) : NULL;
	if (!s) {
		greeting_refuse(c, 1, "too many streams on this node; try again later");
		return NULL;
	}
	s->streams = all;
	s->client = c;
	s->uid = uid;
	s->name = (struct names_wait){ .told = on_name, .owner = s };
	buf_init(&s->request, FRAME_HEADER + FRAME_PAYLOAD_MAX);
	list_add(&all->all, &s->link);
	all->n++;
	conn_own(c, &client_ops, s);
	return s;
}

/* ---- at the node ---- */

static bool credential_revoked(const void *owner, const char *serial)
{
	return revoked_has_operator(owner, serial);
}

static int check_proof(struct streams *all, const Cmx__Open *m, struct identity *ret_operator,
		       struct err *e)
{
	struct node *n = all->node;
	struct proof_request rq = {
		.kind = m->kind, .uid = m->uid, .body = m->body.data, .body_len = m->body.len
	};
	struct proof_check pc = { .cluster = n->self.cluster,
				  .node = n->self.name,
				  .now_s = clock_wall_s(),
				  .revoked = credential_revoked,
				  .owner = n->revoked };

	tls_creds_authorities(n->creds, &pc.authorities, &pc.n_authorities);
	return proof_verify(m->proof, &rq, &pc, all->nonces, ret_operator, e);
}

static void program_over(void *owner)
{
	struct stream *s = owner;

	s->program = NULL; /* the splice ends when the program's last bytes have passed */
}

static void start(struct stream *s, const Cmx__Open *m)
{
	struct node *n = s->streams->node;
	Cmx__OpenOk ok = CMX__OPEN_OK__INIT;
	AUTO_CLOSE int ours = -1;
	struct conn *far;
	struct err e;
	int r;

	r = program_start(s->streams->programs, m, program_over, s, &s->program, &ours, &e);
	if (!r)
		r = conn_new(n->loop, ours, &client_ops, s, &far, &e);
	if (r < 0) {
		refuse(s, r == -EBUSY ? 5 : r == -ENOENT ? 4 : 1, e.text);
		return;
	}
	(void)fd_take(&ours);
	ok.node = n->self.name;
	if (m->kind == CMX__OPEN_KIND__OPEN_EXEC)
		r = conn_send_message(far, FRAME_OPEN, m); /* the runner answers for itself */
	else
		r = conn_send_message(s->client, FRAME_OPEN_OK, &ok);
	if (r < 0) {
		conn_free(far);
		refuse(s, 1, strerror(-r));
		return;
	}
	join(s, far);
}

/* those kinds are served by moves.h, with the connection itself */
static void to_moves(struct stream *s, const Cmx__Open *m)
{
	struct moves *moves = s->streams->node->moves;
	struct conn *c = s->client;

	s->client = NULL;
	stream_free(s);
	if (m->kind == CMX__OPEN_KIND__OPEN_MOVE)
		moves_serve(moves, c, m);
	else
		moves_command(moves, c, m);
}

static bool is_of_moves(Cmx__OpenKind kind)
{
	return kind == CMX__OPEN_KIND__OPEN_MOVE || kind == CMX__OPEN_KIND__OPEN_MIGRATE ||
	       kind == CMX__OPEN_KIND__OPEN_MOVES;
}

static void serve(struct stream *s, const Cmx__Open *m, enum party from)
{
	struct node *n = s->streams->node;
	struct ask a = { .from = from,
			 .self = party_of_role(role_name(n->self.role)),
			 .kind = m->kind,
			 .uid = m->uid };
	struct identity operator= { 0 };
	char user[80];
	const char *no;
	struct err e;

	if (m->proof) {
		a.proof = check_proof(s->streams, m, &operator, & e) == 0;
		if (!a.proof) {
			log_warn("OPEN with a bad proof: %s", e.text);
			refuse(s, 5, e.text);
			return;
		}
	}
	no = authorize_open(&a);
	if (no) {
		refuse(s, 5, no);
		return;
	}
	if (is_of_moves(m->kind)) {
		to_moves(s, m);
		return;
	}
	memcpy(s->operator, operator.serial, sizeof(s->operator));
	log_info("%s for %s (uid %u)%s%s", m->kind == CMX__OPEN_KIND__OPEN_EXEC ? "exec" : "task",
		 log_quote(m->user, user, sizeof(user)),
		 m->uid, operator.name[0] ? ", operator " : "", operator.name);
	start(s, m);
}

void streams_serve(struct streams *all, struct conn *c, const Cmx__Open *m)
{
	enum party from = party_of_role(role_name(conn_peer(c)->role));
	uint32_t peer = conn_peer(c)->id;
	struct stream *s = stream_new(all, c, m->uid);

	if (!s)
		return;
	s->peer = peer;
	/* only what has a stream of its own; the rest is asked through other doors */
	if (m->kind != CMX__OPEN_KIND__OPEN_EXEC && m->kind != CMX__OPEN_KIND__OPEN_TASK &&
	    !is_of_moves(m->kind))
		refuse(s, 5,
		       "only EXEC, TASK, MOVE, MIGRATE and MOVES may be opened from another node");
	else if (m->node && m->node[0] && strcmp(m->node, all->node->self.name) != 0)
		refuse(s, 4, "that is another node");
	else
		serve(s, m, from);
}

/* ---- at home ---- */

static void on_ready(void *owner, struct conn *c, const Cmx__Hello *hello)
{
	struct stream *s = owner;

	s->dial = NULL;
	if (conn_send(c, buf_bytes(&s->request), s->request.len) < 0) {
		conn_free(c);
		refuse(s, 1, "out of memory");
		return;
	}
	buf_done(&s->request);
	join(s, c);
}

static void on_failed(void *owner, int status, const struct err *why)
{
	struct stream *s = owner;
	const struct dir_entry *d = directory_get(s->streams->node->directory, s->peer);
	struct err e = *why;

	s->dial = NULL;
	(void)err_prefix(&e, "cannot reach %s", d ? d->name : "the node");
	refuse(s, status, e.text);
}

static const struct dial_ops dial_ops = { .ready = on_ready, .failed = on_failed };

static void go(struct stream *s, const Cmx__Open *m)
{
	struct node *n = s->streams->node;
	const struct dir_entry *d = directory_find(n->directory, m->node);
	struct err e;

	if (!d) {
		(void)err_set(&e, -ENOENT, "no node '%s' in this cluster; see 'comosix nodes'",
			      m->node);
		refuse(s, 4, e.text);
		return;
	}
	s->peer = d->id;
	if (message_put(&s->request, FRAME_OPEN, m) < 0) {
		refuse(s, 1, "the request is too long");
		return;
	}
	if (dial_new(n, &(struct dial_order){ .id = d->id, .want = CMX__WANT__WANT_OPEN },
		     &dial_ops, s, &s->dial, &e) < 0)
		on_failed(s, 1, &e);
}

/* who asked is known: stamp it, and judge */
static void on_name(void *owner, const char *name, const struct err *why)
{
	struct stream *s = owner;
	struct node *n = s->streams->node;
	struct ask a = { .from = PARTY_LOCAL,
			 .self = party_of_role(role_name(n->self.role)),
			 .uid = s->uid };
	AUTO_MESSAGE Cmx__Open *m = NULL;
	const char *no;
	struct frame f;
	struct err e;

	if (!name) {
		e = *why;
		(void)err_prefix(&e, "who are you?");
		refuse(s, 5, e.text);
		return;
	}
	if (frame_take(&s->request, &f, &e) == 1)
		m = message_get(&cmx__open__descriptor, f.payload, f.len, &e);
	/* the strings of m are from its own allocator */
	char *copy = m ? strdup(name) : NULL;

	if (!copy) {
		refuse(s, 1, "out of memory");
		return;
	}
	buf_eat(&s->request, s->request.len);
	if (m->user != protobuf_c_empty_string)
		free(m->user);
	m->user = copy;
	m->uid = s->uid;
	a.kind = m->kind;
	no = authorize_open(&a);
	if (no)
		refuse(s, 5, no);
	else if (!m->node[0] || !strcmp(m->node, n->self.name))
		serve(s, m, PARTY_LOCAL);
	else
		go(s, m);
}

void streams_local(struct streams *all, struct conn *c, const Cmx__Open *m, uid_t uid)
{
	struct stream *s = stream_new(all, c, uid);
	struct err e;

	if (!s)
		return;
	if (message_put(&s->request, FRAME_OPEN, m) < 0)
		refuse(s, 1, "the request is too long");
	else if (names_ask(all->names, uid, &s->name, &e) < 0)
		refuse(s, 1, e.text);
}

/* ---- both ---- */

void streams_drop(struct streams *all, uint32_t id, const char *why)
{
	list_for_each_safe (l, &all->all) {
		struct stream *s = list_entry(l, struct stream, link);

		if (s->peer != id)
			continue;
		log_info("a stream with node %u ends: %s", id, why);
		stream_free(s);
	}
}

void streams_revoked(struct streams *all)
{
	list_for_each_safe (l, &all->all) {
		struct stream *s = list_entry(l, struct stream, link);

		if (!s->operator[0] || !revoked_has_operator(all->node->revoked, s->operator))
			continue;
		log_info("a command of uid %u ends: the operator's credential %s was revoked",
			 s->uid, s->operator);
		stream_free(s);
	}
}

unsigned int streams_guests(const struct streams *all)
{
	return programs_count(all->programs);
}

int streams_new(struct node *n, struct streams **ret, struct err *e)
{
	struct streams *all = calloc(1, sizeof(*all));
	int r;

	if (!all)
		return err_set(e, -ENOMEM, "out of memory");
	all->node = n;
	list_init(&all->all);
	r = nonce_cache_new(NONCES_MAX, clock_wall_s(), &all->nonces);
	if (r < 0)
		r = err_set(e, r, "out of memory");
	else
		r = programs_new(n, &all->programs, e);
	if (!r)
		r = names_new(n->loop, user_by_uid, &all->names, e);
	if (r < 0) {
		streams_free(all);
		return r;
	}
	*ret = all;
	return 0;
}

void streams_free(struct streams *all)
{
	if (!all)
		return;
	list_for_each_safe (l, &all->all)
		stream_free(list_entry(l, struct stream, link));
	programs_free(all->programs);
	names_free(all->names);
	nonce_cache_free(all->nonces);
	free(all);
}
