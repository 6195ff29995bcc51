/* SPDX-License-Identifier: GPL-2.0-or-later */
/* live.c - what this machine's comosixd says about the members, now */
#include "head/live.h"

#include <errno.h>
#include <pthread.h>
#include <sys/socket.h>

#include "base/grow.h"
#include "head/api.h"
#include "log/log.h"
#include "net/local.h"
#include "os/clock.h"
#include "os/fd.h"

#define RETRY_MS 1000
#define TEXT_MAX 128

struct live {
	struct api *api;
	pthread_t thread;
	pthread_mutex_t lock;	     /* all below */
	struct live_member *members; /* owned, sorted by id, room for `room` */
	size_t n, room;
	bool connected;
	int fd; /* to comosixd, for live_stop() to cut; -1 */
	bool stopping;
};

static struct live_member *find(struct live_member *list, size_t n, uint32_t id)
{
	size_t lo = 0, hi = n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (list[mid].id < id)
			lo = mid + 1;
		else
			hi = mid;
	}
	return list && lo < n && list[lo].id == id ? &list[lo] : NULL;
}

/* a row for a member; NULL at the limit or without memory */
static struct live_member *row_for(struct live *l, uint32_t id)
{
	struct live_member *m = find(l->members, l->n, id);
	size_t at;

	if (m || l->n >= LIVE_MEMBERS_MAX)
		return m;

	struct live_member *more = grow(l->members, l->n, &l->room, 64, sizeof(*more));

	if (!more)
		return NULL;
	l->members = more;
	for (at = l->n; at && l->members[at - 1].id > id; at--)
		l->members[at] = l->members[at - 1];
	l->members[at] = (struct live_member){ .id = id };
	l->n++;
	return &l->members[at];
}

static const struct {
	const char *state, *event, *text;
} transitions[] = {
	{ "alive", "node.up", "is up" },
	{ "suspect", "node.suspect", "does not answer" },
	{ "dead", "node.down", "is down" },
	{ "left", "node.left", "has left" },
};

/* inside a transaction: was this the last thing said of the node's state? */
static bool said_already(struct live *l, const char *name, const char *event)
{
	char last[32];

	return !store_event_of_node(l->api->store, name, last, NULL) && !strcmp(last, event);
}

static void record(struct live *l, const char *name, const char *event, const char *what)
{
	char text[TEXT_MAX];
	struct err e = { 0 };
	int r = store_begin(l->api->store, &e);

	if (!r && said_already(l, name, event)) {
		store_rollback(l->api->store);
		return;
	}
	(void)snprintf(text, sizeof(text), "%s %s", name, what);
	if (!r) {
		r = api_event(l->api, event, name, "comosixd", text, &e);
		if (!r)
			r = store_commit(l->api->store, &e);
		else
			store_rollback(l->api->store);
	}
	if (r < 0)
		log_warn("event '%s' is lost: %s", text, e.text);
	else
		bus_events(&l->api->bus);
}

static void tell(struct live *l, const char *name, const char *state)
{
	for (size_t i = 0; i < ARRAY_LEN(transitions); i++)
		if (!strcmp(state, transitions[i].state))
			record(l, name, transitions[i].event, transitions[i].text);
}

static bool known_state(const char *s)
{
	for (size_t i = 0; i < ARRAY_LEN(transitions); i++)
		if (!strcmp(s, transitions[i].state))
			return true;
	return !strcmp(s, "revoked");
}

/* true when its state is another than we knew */
static bool take(struct live *l, const Cmx__Member *m)
{
	char old[sizeof(l->members->state)];
	struct live_member *row = row_for(l, m->id);

	if (!row)
		return false;
	memcpy(old, row->state, sizeof(old));
	(void)snprintf(row->name, sizeof(row->name), "%s", m->name);
	(void)snprintf(row->state, sizeof(row->state), "%s",
		       known_state(m->state) ? m->state : "unknown");
	(void)snprintf(row->address, sizeof(row->address), "%s", m->address);
	row->relayed = m->relayed;
	row->cpus = m->cpus;
	row->load_percent = m->load_percent;
	row->speed = m->speed;
	row->memory_bytes = m->memory_bytes;
	row->memory_free_bytes = m->memory_free_bytes;
	row->guests = m->guests;
	row->age_ms = m->age_ms;
	row->seen_ms = clock_boot_ms();
	return strcmp(old, row->state) != 0;
}

/* one connection, from the snapshot on; returns when it ends */
static void follow(struct live *l, struct local *conn)
{
	bool snapshot = true;
	struct frame f;
	struct err e = { 0 };
	int r;

	while ((r = local_next(conn, &f, &e)) > 0) {
		bool news;

		if (f.type == FRAME_OPEN_OK)
			continue;
		if (f.type != FRAME_MEMBER)
			break;

		AUTO_MESSAGE Cmx__Member *m = message_get(&cmx__member__descriptor, f.payload,
							  f.len, &e);

		if (!m)
			break;
		if (m->end_of_snapshot) {
			snapshot = false;
			pthread_mutex_lock(&l->lock);
			l->connected = true;
			pthread_mutex_unlock(&l->lock);
			bus_live(&l->api->bus);
			continue;
		}
		pthread_mutex_lock(&l->lock);
		news = take(l, m);
		pthread_mutex_unlock(&l->lock);
		if (news)
			tell(l, m->name, m->state);
		if (!snapshot)
			bus_live(&l->api->bus);
	}
	log_info("comosixd has closed%s%s", r < 0 ? ": " : "", r < 0 ? e.text : "");
}

static void send_statement(struct live *l)
{
	struct sign_result res;
	struct err e = { 0 };

	if (sign_statement(&l->api->sign, &res, &e) < 0) {
		log_warn("the revocation list: %s", e.text);
		return;
	}
	/* what was revoked while comosixd was away */
	if (res.statement.len && help_statement(&l->api->help_live, buf_bytes(&res.statement),
						res.statement.len, &e) < 0)
		log_warn("comosixd did not take the revocation list: %s", e.text);
	sign_result_done(&res);
}

static bool connect_once(struct live *l, struct local *conn)
{
	struct err e = { 0 };
	bool going;

	*conn = (struct local){ .fd = -1 };
	buf_init(&conn->in, 2 * (FRAME_HEADER + FRAME_PAYLOAD_MAX));
	if (help_members(&l->api->help_live, &conn->fd, &conn->in, &e) < 0) {
		log_debug("%s", e.text);
		buf_done(&conn->in);
		return false;
	}
	pthread_mutex_lock(&l->lock);
	l->fd = conn->fd;
	going = !l->stopping;
	pthread_mutex_unlock(&l->lock);
	if (!going)
		local_close(conn);
	return going;
}

static void disconnected(struct live *l)
{
	pthread_mutex_lock(&l->lock);
	l->fd = -1;
	l->connected = false;
	free(l->members);
	l->members = NULL;
	l->n = 0;
	l->room = 0;
	pthread_mutex_unlock(&l->lock);
	bus_live(&l->api->bus);
}

static void *run(void *arg)
{
	struct live *l = arg;

	do {
		struct local conn;

		if (!connect_once(l, &conn))
			continue;
		send_statement(l);
		log_info("following comosixd");
		follow(l, &conn);
		disconnected(l);
		local_close(&conn);
	} while (bus_pause(&l->api->bus, RETRY_MS));
	return NULL;
}

int live_start(struct api *a, struct live **ret, struct err *e)
{
	struct live *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return err_set(e, -ENOMEM, "out of memory");
	l->api = a;
	l->fd = -1;
	pthread_mutex_init(&l->lock, NULL);
	*ret = l; /* before the thread, which answers requests about it */
	r = pthread_create(&l->thread, NULL, run, l);
	if (r) {
		*ret = NULL;
		free(l);
		return err_set(e, -r, "start a thread: %s", strerror(r));
	}
	return 0;
}

void live_stop(struct live *l)
{
	if (!l)
		return;
	pthread_mutex_lock(&l->lock);
	l->stopping = true;
	if (l->fd >= 0)
		(void)shutdown(l->fd, SHUT_RDWR); /* it may be closed already at the other end */
	pthread_mutex_unlock(&l->lock);
	bus_stop(&l->api->bus);
	(void)pthread_join(l->thread, NULL); /* joined once, here */
	free(l->members);
	pthread_mutex_destroy(&l->lock);
	free(l);
}

bool live_get(struct live *l, uint32_t id, struct live_member *ret)
{
	struct live_member *m;

	if (!l)
		return false;
	pthread_mutex_lock(&l->lock);
	m = l->connected ? find(l->members, l->n, id) : NULL;
	if (m)
		*ret = *m;
	pthread_mutex_unlock(&l->lock);
	return m != NULL;
}

bool live_connected(struct live *l)
{
	bool r;

	if (!l)
		return false;
	pthread_mutex_lock(&l->lock);
	r = l->connected;
	pthread_mutex_unlock(&l->lock);
	return r;
}
