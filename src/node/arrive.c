/* SPDX-License-Identifier: GPL-2.0-or-later */
/* arrive.c - at the host: judge an OPEN MOVE and begin a guest, or give one a new transport */
#include <ctype.h>
#include <errno.h>

#include "cluster/cluster.h"
#include "log/log.h"
#include "node/cgroup.h"
#include "net/conn.h"
#include "node/greeting.h"
#include "node/membership.h"
#include "node/move.h"
#include "node/node.h"
#include "node/transport.h"
#include "os/clock.h"
#include "wire/message.h"

#define GUESTS_PER_CPU 8	     /* when no setting says how many */
#define MEMORY_SPARE   (64ULL << 20) /* left for the node itself */

#define PROMISED_S 10 /* until a guest's memory is seen in the load */

#define SLOTS_MAX     65536 /* of private uids, migrate/box.h */
#define UNKNOWN_S     10    /* for guests that were found to say who they are */
#define GUEST_THREADS 4096

struct arrival {
	struct moves *all;
	struct conn *conn;
	const Cmx__Open *open;
	const Cmx__MoveRequest *rq;
};

static void refuse(struct arrival *a, int status, const char *text)
{
	count(&a->all->node->counters, COUNT_guests_refused);
	greeting_refuse(a->conn, status, text);
}

/* what guests of the last seconds will still fill: the load does not show it yet */
static uint64_t promised(const struct moves *all)
{
	int64_t now = clock_wall_s();
	uint64_t bytes = 0;

	list_for_each (l, &all->moves) {
		const struct move *m = list_entry(l, struct move, link);

		if (m->guest && m->known && now - m->since < PROMISED_S)
			bytes += m->process.memory_bytes;
	}
	return bytes;
}

/* NULL: there is room */
static const char *no_room(const struct arrival *a, char *text, size_t len)
{
	struct node *n = a->all->node;
	struct cluster_view self;
	bool seen = membership_view_id(n->membership, n->self.id, &self) == 0 && self.has_load;
	unsigned int max = n->set.guests_max;

	if (!max)
		max = GUESTS_PER_CPU * (seen && self.has_profile ? self.profile.cpus : 1U);
	if (a->all->n_guests >= max) {
		(void)snprintf(text, len, "%s has %u guests, that is all it takes", n->self.name,
			       a->all->n_guests);
		return text;
	}
	if (seen && a->rq->memory_bytes + promised(a->all) + MEMORY_SPARE >
			    (uint64_t)self.load.free_16mib << 24) {
		(void)snprintf(text, len, "%s has no memory for it", n->self.name);
		return text;
	}
	return NULL;
}

/* the transport owns the connection when this is called; said and settled in one go */
static int answer(struct moves *all, struct transport *t, uint32_t peer, struct err *e)
{
	Cmx__OpenOk ok = CMX__OPEN_OK__INIT;
	int r;

	ok.node = all->node->self.name;
	r = conn_send_message(t->conn, FRAME_OPEN_OK, &ok);
	if (r < 0)
		return err_set(e, r, "%s", strerror(-r));
	return transport_settle(all->transports, t, peer, e);
}

static void resume(struct arrival *a, const struct identity *peer)
{
	struct move *m = move_by_id(a->all, true, a->rq->move_id.data);
	struct transport t;
	struct err e;
	int r;

	if (m && (!m->half || !m->known)) {
		refuse(a, 1, "that guest has not said yet who it is; try again");
		return;
	}
	if (!m || strcmp(m->peer_name, peer->name) != 0) {
		refuse(a, MOVE_NO_GUEST, "that guest is not here any more");
		return;
	}
	if (transport_prepare(a->conn, &t, &e) < 0) {
		refuse(a, 1, e.text);
		return;
	}
	m->peer = peer->id;
	r = answer(a->all, &t, peer->id, &e);
	if (!r)
		r = half_transport(m->half, t.key, t.fd, &e);
	transport_done(&t);
	if (r < 0)
		log_warn("guest of %s: no new transport: %s", peer->name, e.text);
}

static void accept_word(struct arrival *a)
{
	Cmx__OpenOk ok = CMX__OPEN_OK__INIT;

	ok.node = a->all->node->self.name;
	if (conn_send_message(a->conn, FRAME_OPEN_OK, &ok) < 0)
		conn_free(a->conn);
	else
		conn_linger(a->conn);
}

/* its half at home is dead */
static void drop(struct arrival *a, const struct identity *peer)
{
	struct move *m = move_by_id(a->all, true, a->rq->move_id.data);
	struct err e;

	if (!m || !m->half || strcmp(m->peer_name, peer->name) != 0) {
		refuse(a, MOVE_NO_GUEST, "that guest is not here any more");
		return;
	}
	if (half_drop(m->half, "its half at home is dead", &e) < 0) {
		refuse(a, 1, e.text);
		return;
	}
	accept_word(a);
}

/* the lowest that no guest has; NULL in ret_no when there is one */
static uint32_t free_slot(const struct moves *all, const char **ret_no)
{
	int64_t now = clock_wall_s();

	*ret_no = NULL;
	list_for_each (l, &all->moves) {
		const struct move *m = list_entry(l, struct move, link);

		if (m->guest && !m->known && now - m->since < UNKNOWN_S)
			*ret_no = "this node has just been started; try again in a moment";
	}
	for (uint32_t slot = 0; !*ret_no && slot < SLOTS_MAX; slot++) {
		bool taken = false;

		list_for_each (l, &all->moves) {
			const struct move *m = list_entry(l, struct move, link);

			taken |= m->guest && m->known && m->slot == slot;
		}
		if (!taken)
			return slot;
	}
	if (!*ret_no)
		*ret_no = "this node has too many guests";
	return 0;
}

void guest_group_remove(uint32_t slot)
{
	char name[48];

	(void)snprintf(name, sizeof(name), GUEST_GROUP "%u", (unsigned int)slot);
	cgroup_remove(name);
}

/* before it does anything: all that will be in its box is born into it */
static void group(struct move *m)
{
	const struct cgroup_limits limits = {
		/* on a desktop only what its owner leaves */
		.cpu_shares = m->all->node->self.role == ROLE_DESKTOP ? 10 : 1024,
		.processes = GUEST_THREADS,
	};
	struct cgroup g;
	char name[48];

	(void)snprintf(name, sizeof(name), GUEST_GROUP "%u", (unsigned int)m->slot);
	cgroup_make(name, &limits, &g);
	m->grouped = g.n > 0;
	for (unsigned int i = 0; i < g.n; i++) {
		int r = cgroup_put(g.dirs[i], half_pid(m->half));

		if (r < 0)
			log_warn("guest of %s: '%s': %s", m->peer_name, g.dirs[i], strerror(-r));
	}
}

static int start_guest(struct move *m, struct transport *t, struct err *e)
{
	const struct half_spec spec = { .guest = true, .id = m->id, .stream = t->fd };
	int r = half_new(m->all->node, &spec, &move_half_ops, m, &m->half, e);

	if (r < 0)
		return r;
	group(m);
	r = answer(m->all, t, m->peer, e);
	return r < 0 ? r : move_begin(m, t->key, e);
}

/* a name of another node's, for lists and logs */
static void printable(const char *from, char *to, size_t len)
{
	size_t n = 0;

	for (; *from && n + 1 < len; from++)
		to[n++] = isprint((unsigned char)*from) ? *from : '?';
	to[n] = '\0';
}

static struct move *make(struct arrival *a, const struct identity *peer)
{
	struct move *m = move_new(a->all, true, a->rq->move_id.data);

	if (!m)
		return NULL;
	m->known = true;
	m->process = (struct process){ .pid = (pid_t)a->rq->pid,
				       .uid = a->open->uid,
				       .gid = a->rq->gid,
				       .job = a->rq->job ? PROCESS_JOB : PROCESS_NO_JOB,
				       .memory_bytes = a->rq->memory_bytes };
	m->peer = peer->id;
	m->peer_role = peer->role;
	(void)snprintf(m->peer_name, sizeof(m->peer_name), "%s", peer->name);
	printable(a->rq->command, m->process.command, sizeof(m->process.command));
	printable(a->open->user, m->user, sizeof(m->user));
	return m;
}

/* would it be begun? Then nothing is, yet */
static void judge(struct arrival *a)
{
	char text[160];
	const char *no = no_room(a, text, sizeof(text));

	if (!no)
		(void)free_slot(a->all, &no);
	if (no)
		refuse(a, 5, no);
	else
		accept_word(a);
}

static void begin(struct arrival *a, const struct identity *peer)
{
	char text[160];
	const char *no = no_room(a, text, sizeof(text));
	struct transport t;
	struct move *m;
	struct err e;
	uint32_t slot = 0;
	int r;

	if (!no)
		slot = free_slot(a->all, &no);
	if (!no && move_by_id(a->all, true, a->rq->move_id.data))
		no = "that guest is here already";
	if (no) {
		refuse(a, 5, no);
		return;
	}
	m = make(a, peer);
	if (!m || transport_prepare(a->conn, &t, &e) < 0) {
		if (m)
			move_free(m);
		refuse(a, 1, m ? e.text : "out of memory");
		return;
	}
	m->slot = slot;
	r = start_guest(m, &t, &e);
	if (r < 0 && t.conn && !m->half) { /* OPEN_OK was not said, so the reason can be */
		a->conn = t.conn;
		t.conn = NULL;
		refuse(a, 1, e.text);
	}
	transport_done(&t);
	if (r < 0) {
		Cmx__HalfEnd end = CMX__HALF_END__INIT;

		end.status = 1;
		end.text = e.text;
		move_over(m, &end);
	}
}

void moves_serve(struct moves *all, struct conn *c, const Cmx__Open *m)
{
	AUTO_MESSAGE Cmx__MoveRequest *rq = message_get(&cmx__move_request__descriptor,
							m->body.data, m->body.len, NULL);
	struct arrival a = { .all = all, .conn = c, .open = m, .rq = rq };
	struct identity peer = *conn_peer(c); /* the connection may go */

	if (!rq || rq->move_id.len != HALF_ID_LEN || !rq->pid || rq->pid > INT32_MAX)
		refuse(&a, 1, "that is no MOVE request");
	else if (rq->resume)
		resume(&a, &peer);
	else if (rq->drop)
		drop(&a, &peer);
	else if (rq->ask)
		judge(&a);
	else
		begin(&a, &peer);
}
