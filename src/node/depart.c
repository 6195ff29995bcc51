/* SPDX-License-Identifier: GPL-2.0-or-later */
/* depart.c - at home: choose a host, reach it, and begin a deputy */
#include <errno.h>

#include "log/log.h"
#include "node/approach.h"
#include "node/directory.h"
#include "node/membership.h"
#include "node/move.h"
#include "node/node.h"
#include "node/transport.h"
#include "os/rand.h"
#include "wire/message.h"

#define RETRY_MS 1000 /* between two tries to replace a broken transport; the lease ends them */
#define BEST_MAX 16   /* cheapest nodes that are looked at for "best" */

/* ---- which node ---- */

static bool desktops_ok(const struct moves *all, const struct process *p)
{
	return p->job != PROCESS_NO_JOB || all->node->set.trust_desktops_full;
}

static int no_desktop(const struct dir_entry *d, int *ret_status, struct err *e)
{
	*ret_status = 5;
	return err_set(
		e, -EPERM,
		"%s is a desktop, and only jobs may go there: start the program with mosrun. "
		"The operator can trust his desktops: `desktops = full' under [trust] in "
		"comosixd.ini",
		d->name);
}

static int choose_best(struct moves *all, const struct process *p, const struct dir_entry **ret,
		       int *ret_status, struct err *e)
{
	uint32_t ids[BEST_MAX], n = membership_best(all->node->membership, ids, BEST_MAX);
	bool desktops = false;

	for (uint32_t i = 0; i < n; i++) {
		const struct dir_entry *d = directory_get(all->node->directory, ids[i]);

		if (!d || (d->role == ROLE_DESKTOP && !desktops_ok(all, p))) {
			desktops |= d != NULL;
			continue;
		}
		*ret = d;
		return 0;
	}
	*ret_status = desktops ? 5 : 1;
	return err_set(e, -EHOSTUNREACH, "%s",
		       desktops ? "only desktops have room, and only jobs may go there: start the "
				  "program with mosrun"
				: "no other node takes guests now; see 'comosix nodes'");
}

int depart_choose(struct moves *all, const struct process *p, const char *to,
		  const struct dir_entry **ret, int *ret_status, struct err *e)
{
	const struct node *n = all->node;
	const struct dir_entry *d;

	*ret_status = 1;
	if (!strcmp(to, "best"))
		return choose_best(all, p, ret, ret_status, e);
	d = directory_find(n->directory, to);
	if (!d || d->id == n->self.id) {
		*ret_status = d ? 1 : 4;
		return err_set(e, -ENOENT, "no node '%s' in this cluster; see 'comosix nodes'", to);
	}
	if (d->role == ROLE_DESKTOP && !desktops_ok(all, p))
		return no_desktop(d, ret_status, e);
	if (!membership_is_up(n->membership, d->id))
		return err_set(e, -EHOSTDOWN, "%s is not up; see 'comosix nodes'", d->name);
	*ret = d;
	return 0;
}

/* ---- on the way ---- */

static void over(struct move *m, int status, const char *text)
{
	Cmx__HalfEnd end = CMX__HALF_END__INIT;

	end.status = (uint32_t)status;
	end.text = (char *)text;
	end.fate = CMX__HALF_FATE__FATE_STAYED;
	move_over(m, &end);
}

void depart_cancel(struct move *m, const char *why)
{
	approach_free(m->approach);
	m->approach = NULL;
	m->recalled = true;
	over(m, 5, why);
}

static int start_deputy(struct move *m, struct transport *t, struct err *e)
{
	struct node *n = m->all->node;
	const struct half_spec spec = { .id = m->id, .stream = t->fd };
	int r = half_new(n, &spec, &move_half_ops, m, &m->half, e);

	if (!r)
		r = transport_settle(m->all->transports, t, m->peer, e);
	return r < 0 ? r : move_begin(m, t->key, e);
}

static void on_ready(void *owner, struct transport *t)
{
	struct move *m = owner;
	struct err e;
	int r;

	m->approach = NULL;
	r = start_deputy(m, t, &e);
	transport_done(t);
	if (r < 0)
		over(m, 1, e.text); /* a deputy that was not told to start ends by itself */
}

static void on_failed(void *owner, int status, const struct err *why)
{
	struct move *m = owner;
	struct err e = *why;

	m->approach = NULL;
	(void)err_prefix(&e, "%s", m->peer_name);
	over(m, status, e.text);
}

static const struct approach_ops first_ops = { .ready = on_ready, .failed = on_failed };

int depart_approach(const struct move *m, Cmx__MoveRequest *rq, uint32_t to, const char *name,
		    const struct approach_ops *ops, void *owner, struct approach **ret,
		    struct err *e)
{
	Cmx__Open open = CMX__OPEN__INIT;
	struct buf body;
	int r;

	/* all of it is only read; protobuf-c has no word for that */
	rq->move_id = (ProtobufCBinaryData){ .data = (uint8_t *)m->id, .len = HALF_ID_LEN };
	rq->pid = (uint32_t)m->process.pid;
	rq->gid = m->process.gid;
	rq->memory_bytes = m->process.memory_bytes;
	rq->job = m->process.job != PROCESS_NO_JOB;
	rq->command = (char *)m->process.command;
	buf_init(&body, 4096);
	r = message_pack(&body, rq);
	if (r < 0) {
		buf_done(&body);
		return err_set(e, r, "%s", strerror(-r));
	}
	open.kind = CMX__OPEN_KIND__OPEN_MOVE;
	open.node = (char *)name;
	open.uid = m->process.uid;
	open.user = (char *)m->user;
	open.body = (ProtobufCBinaryData){ .data = (uint8_t *)buf_bytes(&body), .len = body.len };
	r = approach_new(m->all->node, to, &open, ops, owner, ret, e);
	buf_done(&body);
	return r;
}

static int approach(struct move *m, bool resume, const struct approach_ops *ops, struct err *e)
{
	Cmx__MoveRequest rq = CMX__MOVE_REQUEST__INIT;

	rq.resume = resume;
	return depart_approach(m, &rq, m->peer, m->peer_name, ops, m, &m->approach, e);
}

int depart(struct moves *all, const struct process *p, const char *user, const char *to,
	   struct move **ret, int *ret_status, struct err *e)
{
	const struct dir_entry *d = NULL;
	uint8_t id[HALF_ID_LEN];
	struct move *m;
	int r;

	*ret_status = 5;
	if (p->job == PROCESS_STAYS)
		return err_set(e, -EPERM, "it was started with mosrun -l or -h and stays at home");
	r = depart_choose(all, p, to, &d, ret_status, e);
	if (!d)
		return r;
	*ret_status = 1;
	rand_bytes(id, sizeof(id));
	m = move_new(all, false, id);
	if (!m)
		return err_set(e, -ENOSPC, "too many moved processes on this node");
	m->known = true;
	m->process = *p;
	m->peer = d->id;
	m->peer_role = d->role;
	(void)snprintf(m->peer_name, sizeof(m->peer_name), "%s", d->name);
	if (user)
		(void)snprintf(m->user, sizeof(m->user), "%s", user);
	else
		move_name(m);
	(void)snprintf(m->text, sizeof(m->text), "reaching %s", d->name);
	r = approach(m, false, &first_ops, e);
	if (r < 0) {
		move_free(m);
		return err_prefix(e, "cannot reach %s", to);
	}
	watch_state(all, m);
	*ret = m;
	return 0;
}

/* ---- a new transport ---- */

static void on_retry(void *owner)
{
	struct move *m = owner;

	m->retry = (struct ev_ref){ 0 };
	depart_resume(m);
}

static void try_later(struct move *m)
{
	struct loop *l = m->all->node->loop;

	if (!m->retry.slot)
		(void)!loop_add_timer(l, loop_now(l) + RETRY_MS, on_retry, m, &m->retry);
}

static void on_resumed(void *owner, struct transport *t)
{
	struct move *m = owner;
	struct err e;
	int r;

	m->approach = NULL;
	r = transport_settle(m->all->transports, t, m->peer, &e);
	if (!r)
		r = half_transport(m->half, t->key, t->fd, &e);
	transport_done(t);
	if (r < 0)
		log_warn("process %u: the transport to %s was not replaced: %s",
			 (unsigned int)m->process.pid, m->peer_name, e.text);
	else
		log_info("process %u: a new transport to %s", (unsigned int)m->process.pid,
			 m->peer_name);
}

static void on_not_resumed(void *owner, int status, const struct err *why)
{
	struct move *m = owner;

	m->approach = NULL;
	log_debug("process %u: %s: %s", (unsigned int)m->process.pid, m->peer_name, why->text);
	if (status == MOVE_NO_GUEST) /* one that does not hear it has the lease */
		(void)!half_drop(m->half, "its guest is not there any more", NULL);
	else
		try_later(m);
}

static const struct approach_ops again_ops = { .ready = on_resumed, .failed = on_not_resumed };

void depart_resume(struct move *m)
{
	struct err e;

	if (m->approach || !m->half)
		return; /* it is being done */
	if (!m->peer) { /* found when the directory did not know its node yet */
		const struct dir_entry *d = directory_find(m->all->node->directory, m->peer_name);

		m->peer = d ? d->id : 0;
	}
	if (!m->peer || approach(m, true, &again_ops, &e) < 0)
		try_later(m);
}
