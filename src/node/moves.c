/* SPDX-License-Identifier: GPL-2.0-or-later */
/* moves.c - the table of moved processes, and what their halves say */
#include "node/moves.h"

#include <errno.h>

#include "log/log.h"
#include "node/approach.h"
#include "node/census.h"
#include "node/directory.h"
#include "node/errand.h"
#include "node/jobs.h"
#include "node/move.h"
#include "node/node.h"
#include "node/transport.h"
#include "os/clock.h"

/* of a process that goes out again after a call: tries, and between two of them */
#define OUTS_MAX     30
#define OUT_PAUSE_MS 1000

#define NO_PROCESS 4 /* exit status: ctl/exit_status.h */

static const char *const stage_names[] = {
	[CMX__HALF_STAGE__STAGE_NONE] = "beginning",
	[CMX__HALF_STAGE__STAGE_PREFLIGHT] = "preflight",
	[CMX__HALF_STAGE__STAGE_CONNECT] = "connect",
	[CMX__HALF_STAGE__STAGE_COPY] = "copy",
	[CMX__HALF_STAGE__STAGE_CAPTURE] = "capture",
	[CMX__HALF_STAGE__STAGE_BUILD] = "build",
	[CMX__HALF_STAGE__STAGE_AWAY] = "away",
	[CMX__HALF_STAGE__STAGE_RECALL] = "recall",
	[CMX__HALF_STAGE__STAGE_REBUILD] = "rebuild",
	[CMX__HALF_STAGE__STAGE_ENDED] = "ended",
};

#define mov_info(m, fmt, ...)                                                                      \
	log_info("%s of %s %s %u (%s): " fmt, (m)->guest ? "guest" : "move",                       \
		 (m)->guest ? (m)->peer_name : (m)->user, (m)->process.command,                    \
		 (unsigned int)(m)->process.pid, stage_names[(m)->stage], ##__VA_ARGS__)

/* ---- the table ---- */

static void on_name(void *owner, const char *name, const struct err *why)
{
	struct move *m = owner;

	if (name) /* else the number stays */
		(void)snprintf(m->user, sizeof(m->user), "%s", name);
}

void move_name(struct move *m)
{
	(void)snprintf(m->user, sizeof(m->user), "%u", (unsigned int)m->process.uid);
	(void)!names_ask(m->all->names, m->process.uid, &m->name, NULL); /* the number stays */
}

struct move *move_new(struct moves *all, bool guest, const uint8_t *id)
{
	struct move *m = all->n_away + all->n_guests < MOVES_MAX ? calloc(1, sizeof(*m)) : NULL;

	if (!m)
		return NULL;
	m->all = all;
	m->guest = guest;
	memcpy(m->id, id, HALF_ID_LEN);
	m->name = (struct names_wait){ .told = on_name, .owner = m };
	m->since = clock_wall_s();
	list_add(&all->moves, &m->link);
	*(guest ? &all->n_guests : &all->n_away) += 1;
	return m;
}

void move_free(struct move *m)
{
	struct moves *all = m->all;

	*(m->guest ? &all->n_guests : &all->n_away) -= 1;
	list_del(&m->link);
	if (m->grouped)
		guest_group_remove(m->slot);
	loop_remove(all->node->loop, &m->retry);
	names_forget(&m->name);
	approach_free(m->approach);
	half_free(m->half);
	free(m);
}

struct move *move_by_id(struct moves *all, bool guest, const uint8_t *id)
{
	list_for_each (l, &all->moves) {
		struct move *m = list_entry(l, struct move, link);

		if (m->guest == guest && !memcmp(m->id, id, HALF_ID_LEN))
			return m;
	}
	return NULL;
}

struct move *move_by_pid(struct moves *all, uint32_t pid)
{
	list_for_each (l, &all->moves) {
		struct move *m = list_entry(l, struct move, link);

		if (!m->guest && m->known && (uint32_t)m->process.pid == pid)
			return m;
	}
	return NULL;
}

/* ---- what the halves say ---- */

static void set_stage(struct move *m, Cmx__HalfStage to)
{
	if (to == m->stage)
		return;
	if (to < m->stage || to >= CMX__HALF_STAGE__STAGE_ENDED) {
		log_warn("a half says %d after %s; ignored", (int)to, stage_names[m->stage]);
		return;
	}
	log_debug("move of %u: %s -> %s", (unsigned int)m->process.pid, stage_names[m->stage],
		  stage_names[to]);
	m->stage = to;
	if (to == CMX__HALF_STAGE__STAGE_AWAY && m->known) {
		count(&m->all->node->counters, m->guest ? COUNT_guests_taken : COUNT_moves_out);
		mov_info(m, "runs at %s", m->guest ? m->all->node->self.name : m->peer_name);
	}
}

/* a half of an earlier daemon says who it is */
static int recognise(struct move *m, const Cmx__HalfStart *s)
{
	const struct dir_entry *d;
	struct process p;

	if (!s || s->move_id.len != HALF_ID_LEN || memcmp(s->move_id.data, m->id, HALF_ID_LEN) ||
	    !identity_name_ok(s->peer_node) || role_parse(s->peer_role, &m->peer_role) < 0)
		return -EPROTO;
	m->process = (struct process){ .pid = (pid_t)s->pid,
				       .uid = s->uid,
				       .gid = s->gid,
				       .job = s->job ? PROCESS_JOB : PROCESS_NO_JOB };
	m->slot = s->slot;
	m->grouped = m->guest;
	(void)snprintf(m->peer_name, sizeof(m->peer_name), "%s", s->peer_node);
	d = directory_find(m->all->node->directory, m->peer_name);
	m->peer = d ? d->id : 0;
	if (!m->guest) {
		if (!process_look(m->process.pid, &p, NULL))
			(void)snprintf(m->process.command, sizeof(m->process.command), "%s",
				       p.command);
		move_name(m);
	}
	return 0;
}

static void on_said(void *owner, const Cmx__HalfState *s)
{
	struct move *m = owner;
	bool found = !m->known;

	if (found && recognise(m, s->start) < 0) {
		log_warn("a half that was found running does not say who it is; ignored");
		return;
	}
	m->known = true;
	m->bytes_done = s->bytes_done;
	m->bytes_all = s->bytes_all;
	m->freeze_us = s->freeze_us;
	m->at_home = s->again && !m->guest;
	if (s->text[0] && strcmp(m->text, s->text) != 0)
		mov_info(m, "%s", s->text);
	(void)snprintf(m->text, sizeof(m->text), "%s", s->text);
	if (found) {
		if (s->stage < CMX__HALF_STAGE__STAGE_ENDED)
			m->stage = s->stage;
		mov_info(m, "found running");
	} else {
		set_stage(m, s->stage);
	}
	watch_state(m->all, m);
}

static void on_wants_transport(void *owner)
{
	struct move *m = owner;

	if (m->guest || !m->known)
		log_warn("a guest asks for a transport, which is its deputy's to do; ignored");
	else
		depart_resume(m);
}

/* the deputy is dead: its guest computes for nobody */
static void tell_host(const struct move *m)
{
	struct err e;

	if (errand_new(m->all, m, ERRAND_DROP, m->peer, m->peer_name, NULL, NULL, NULL, &e) < 0)
		log_warn("move of %u: %s is not told; its guest ends by its lease: %s",
			 (unsigned int)m->process.pid, m->peer_name, e.text);
}

static void on_half_over(void *owner, const Cmx__HalfEnd *end, const char *why)
{
	Cmx__HalfEnd made = CMX__HALF_END__INIT;
	struct move *m = owner;

	m->half = NULL;
	if (!end) {
		made.status = 1;
		made.text = (char *)why;
		if (!m->guest)
			made.fate = m->at_home ? CMX__HALF_FATE__FATE_HOME
				    : m->stage >= CMX__HALF_STAGE__STAGE_AWAY
					    ? CMX__HALF_FATE__FATE_LOST
					    : CMX__HALF_FATE__FATE_STAYED;
		log_err("move of %u: %s", (unsigned int)m->process.pid, why);
		end = &made;
		if (!m->guest && m->peer)
			tell_host(m);
		if (!m->guest && m->known && m->stage < CMX__HALF_STAGE__STAGE_AWAY)
			half_tidy(m->all->node, m->process.pid);
	}
	move_over(m, end);
}

const struct half_ops move_half_ops = {
	.said = on_said,
	.wants_transport = on_wants_transport,
	.over = on_half_over,
};

/* ---- begin and end ---- */

int move_begin(struct move *m, const uint8_t *key, struct err *e)
{
	Cmx__HalfStart s = CMX__HALF_START__INIT;
	char *paths[JOB_PATHS_MAX];
	struct job_spec spec = { 0 };
	struct buf text;
	int r;

	buf_init(&text, JOB_SPEC_BYTES_MAX);
	if (m->process.job == PROCESS_JOB && !m->guest)
		jobs_declared(m->all->node->jobs, m->process.group, &text, paths, &spec);
	s.n_paths = spec.n_paths;
	s.paths = paths;
	s.checkpoint_ms = spec.checkpoint_ms;
	s.checkpoint_max = spec.checkpoint_max;
	if (spec.checkpoint_ms)
		s.checkpoint_dir = (char *)spec.checkpoint_dir; /* only read */
	s.key = (ProtobufCBinaryData){ .data = (uint8_t *)key, .len = HALF_KEY_LEN };
	s.move_id = (ProtobufCBinaryData){ .data = m->id, .len = HALF_ID_LEN };
	s.pid = (uint32_t)m->process.pid;
	s.uid = m->process.uid;
	s.gid = m->process.gid;
	s.peer_node = m->peer_name;
	s.peer_role = (char *)role_name(m->peer_role);
	s.lease_ms = MOVE_LEASE_MS;
	s.job = m->process.job != PROCESS_NO_JOB;
	s.slot = m->slot;
	s.post_copy = m->post_copy;
	r = half_begin(m->half, &s, e);
	buf_done(&text);
	return r;
}

/* it came home and was to go on from there; m is out of the table. outs: as of struct move */
static bool went_on(struct move *m, const char *to, unsigned int outs, int *ret_status,
		    struct err *e)
{
	struct process p;
	struct move *next;
	int r = process_look(m->process.pid, &p, e);

	*ret_status = r == -ESRCH ? NO_PROCESS : 1;
	if (!r && p.uid != m->process.uid)
		r = err_set(e, -EPERM, "it belongs to another user now");
	if (!r)
		r = depart(m->all, &p, m->user, to, &next, ret_status, e);
	if (r)
		return false;
	next->post_copy = m->post_copy;
	next->returns = m->returns;
	next->outs = outs;
	watch_passed_on(m->all, m, next);
	return true;
}

/* ---- out again, after a call that is made at home ---- */

bool move_goes_again(const struct move *m)
{
	if (m->guest || m->recalled)
		return false;
	return m->at_home || (m->outs && m->stage < CMX__HALF_STAGE__STAGE_AWAY);
}

/* it has come home: where is it to go from there? NULL: nowhere */
static const char *goes_to(struct move *m, const Cmx__HalfEnd *end)
{
	if (end->fate != CMX__HALF_FATE__FATE_HOME)
		return NULL;
	if (m->then[0])
		return m->then;
	if (!end->again || m->recalled)
		return NULL;
	m->for_call = true;
	(void)snprintf(m->text, sizeof(m->text), "%s, and goes out again", end->text);
	if (again_may(&m->returns, loop_now(m->all->node->loop)))
		return m->peer_name;
	(void)snprintf(m->text, sizeof(m->text), "%s, " AGAIN_STAYS, end->text);
	return NULL;
}

static bool tries_later(struct move *m, const char *why);

static void on_out_again(void *owner)
{
	Cmx__HalfEnd end = CMX__HALF_END__INIT;
	struct move *m = owner;
	struct err e = { 0 };
	int status;

	m->retry = (struct ev_ref){ 0 };
	list_del(&m->link);
	if (!went_on(m, m->peer_name, m->outs + 1, &status, &e)) {
		list_add(&m->all->moves, &m->link);
		m->outs++;
		if (e.code != -ESRCH && tries_later(m, e.text))
			return;
		m->outs = OUTS_MAX;
		end.status = (uint32_t)status;
		end.fate = CMX__HALF_FATE__FATE_STAYED;
		end.text = e.text;
		move_over(m, &end);
		return;
	}
	m->stage = CMX__HALF_STAGE__STAGE_ENDED;
	watch_over(m->all, m, &end);
	move_free(m);
}

/*
 * Its host may be full for as long as its last guest ends, a comosixd at either end may just have been
 * exchanged and know no node yet, or the process may begin a vfork(2) at the wrong moment.
 */
static bool tries_later(struct move *m, const char *why)
{
	struct loop *l = m->all->node->loop;

	if (!m->outs || m->outs >= OUTS_MAX || m->half || m->recalled ||
	    loop_add_timer(l, loop_now(l) + OUT_PAUSE_MS, on_out_again, m, &m->retry) < 0)
		return false;
	mov_info(m, "cannot go out again yet: %s", why);
	m->stage = CMX__HALF_STAGE__STAGE_NONE;
	(void)snprintf(m->text, sizeof(m->text), "%s", why);
	watch_state(m->all, m);
	return true;
}

static void tell(struct move *m, const Cmx__HalfEnd *end)
{
	struct counters *c = &m->all->node->counters;

	if (m->guest) {
		mov_info(m, "is over%s%s", end->text[0] ? ": " : "", end->text);
		return;
	}
	switch (end->fate) {
	case CMX__HALF_FATE__FATE_HOME:
		count(c, COUNT_moves_home);
		mov_info(m, "is home from %s: %s", m->peer_name, end->text);
		return;
	case CMX__HALF_FATE__FATE_LOST:
		count(c, COUNT_moves_lost);
		log_err("process %u of %s was lost with %s: %s", (unsigned int)m->process.pid,
			m->user, m->peer_name, end->text);
		return;
	case CMX__HALF_FATE__FATE_EXITED:
		mov_info(m, "ended at %s", m->peer_name);
		return;
	case CMX__HALF_FATE__FATE_NONE:
	case CMX__HALF_FATE__FATE_STAYED:
	case _CMX__HALF_FATE_IS_INT_SIZE:
		break;
	}
	count(c, COUNT_moves_failed);
	mov_info(m, "stays at home: %s", end->text);
}

void move_over(struct move *m, const Cmx__HalfEnd *end)
{
	Cmx__HalfEnd failed = CMX__HALF_END__INIT;
	struct err e = { 0 };
	const char *to;
	int status;

	if (end->fate == CMX__HALF_FATE__FATE_STAYED && end->status != NO_PROCESS &&
	    tries_later(m, end->text))
		return;
	if (m->known)
		tell(m, end);
	(void)snprintf(m->text, sizeof(m->text), "%s", end->text);
	to = goes_to(m, end);
	m->at_home = false;
	m->stage = CMX__HALF_STAGE__STAGE_ENDED;
	/* out of the table first: the same process may have to go in again */
	list_del(&m->link);
	if (to && !went_on(m, to, m->for_call, &status, &e)) {
		m->outs = m->for_call;
		if (e.code != -ESRCH && tries_later(m, e.text)) {
			m->for_call = false;
			list_add(&m->all->moves, &m->link);
			return;
		}
		if (m->for_call)
			(void)snprintf(m->text, sizeof(m->text), "%s, and stays: %s", end->text,
				       e.text);
		failed.status = (uint32_t)status;
		failed.text = e.text;
		failed.fate = end->fate;
		end = &failed;
	}
	if (m->for_call)
		mov_info(m, "%s", m->text);
	watch_over(m->all, m, end);
	if (!m->half) {
		move_free(m);
		return;
	}
	m->known = false;
	m->then[0] = '\0';
	list_add(&m->all->moves, &m->link); /* until it has gone */
	half_forgo(m->half);
}

unsigned int moves_guests(const struct moves *all)
{
	return all->n_guests;
}

unsigned int moves_away(const struct moves *all)
{
	return all->n_away;
}

void moves_revoked(struct moves *all, uint32_t id)
{
	transports_drop(all->transports, id);
	list_for_each_safe (l, &all->moves) {
		struct move *m = list_entry(l, struct move, link);

		if (m->peer != id)
			continue;
		if (m->half) {
			/* a half that does not hear it ends by its lease: no transport will come */
			(void)!half_drop(m->half, "the node was revoked", NULL);
			continue;
		}
		depart_cancel(m, "the node was revoked");
	}
}

/* ---- life ---- */

static void adopt(void *owner, bool guest, const uint8_t *id)
{
	struct moves *all = owner;
	struct move *m = move_new(all, guest, id);
	struct err e;

	if (!m) {
		log_err("too many moved processes; one goes on unwatched");
		return;
	}
	if (half_adopt(all->node, guest, id, &move_half_ops, m, &m->half, &e) == 0)
		return;
	if (e.code != -ECONNREFUSED)
		log_warn("a moved process that was found: %s", e.text);
	move_free(m);
}

int moves_open(struct node *n, struct moves **ret, struct err *e)
{
	struct moves *all = calloc(1, sizeof(*all));
	int r;

	if (!all)
		return err_set(e, -ENOMEM, "out of memory");
	all->node = n;
	list_init(&all->moves);
	list_init(&all->watchers);
	list_init(&all->errands);
	r = transports_new(n, &all->transports);
	if (!r)
		r = census_new(n, watch_census, all, &all->census);
	if (r < 0)
		(void)err_set(e, r, "out of memory");
	else
		r = names_new(n->loop, user_by_uid, &all->names, e);
	if (!r)
		r = half_scan(n->set.run, adopt, all, e);
	if (r < 0) {
		moves_close(all);
		return r;
	}
	*ret = all;
	return 0;
}

void moves_close(struct moves *all)
{
	if (!all)
		return;
	watch_close(all);
	errands_free(all);
	list_for_each_safe (l, &all->moves)
		move_free(list_entry(l, struct move, link));
	transports_free(all->transports);
	census_free(all->census);
	names_free(all->names);
	free(all);
}
