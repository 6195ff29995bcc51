/* SPDX-License-Identifier: GPL-2.0-or-later */
/* moved.c - which processes of the cluster are away, as this machine's comosixd says */
#include "head/moved.h"

#include <ctype.h>
#include <errno.h>
#include <pthread.h>
#include <sys/socket.h>

#include "base/grow.h"
#include "head/api.h"
#include "log/log.h"
#include "net/local.h"
#include "os/fd.h"
#include "wire/half.pb-c.h"

#define RETRY_MS 1000
#define TEXT_MAX 320

struct moved {
	struct api *api;
	pthread_t thread;
	pthread_mutex_t lock;	/* all below */
	struct moved_row *rows; /* owned */
	size_t n, room;
	bool connected;
	int fd; /* to comosixd, for moved_stop() to cut; -1 */
	bool stopping;
};

/* ---- the table ---- */

static struct moved_row *find(struct moved *m, const uint8_t *id)
{
	for (size_t i = 0; i < m->n; i++)
		if (!memcmp(m->rows[i].id, id, MOVED_ID_LEN))
			return &m->rows[i];
	return NULL;
}

/* NULL at the limit or without memory */
static struct moved_row *row_for(struct moved *m, const uint8_t *id)
{
	struct moved_row *row = find(m, id);

	if (row || m->n >= MOVED_ROWS_MAX)
		return row;

	struct moved_row *more = grow(m->rows, m->n, &m->room, 64, sizeof(*more));

	if (!more)
		return NULL;
	m->rows = more;
	row = &m->rows[m->n++];
	*row = (struct moved_row){ .state = "leaving" };
	memcpy(row->id, id, MOVED_ID_LEN);
	return row;
}

static const char *state_of(uint32_t stage, bool again)
{
	if (again)
		return "again";
	if (stage < CMX__HALF_STAGE__STAGE_AWAY)
		return "leaving";
	return stage == CMX__HALF_STAGE__STAGE_AWAY ? "away" : "returning";
}

/* another machine's words, for events and lists */
static void copy(char *to, size_t size, const char *from)
{
	size_t n = 0;

	for (; *from && n + 1 < size; from++)
		to[n++] = isprint((unsigned char)*from) ? *from : '?';
	to[n] = '\0';
}

static void fill(struct moved_row *row, const Cmx__MoveInfo *i)
{
	row->pid = i->pid;
	copy(row->user, sizeof(row->user), i->user);
	copy(row->home, sizeof(row->home), i->home);
	copy(row->node, sizeof(row->node), i->node);
	copy(row->command, sizeof(row->command), i->command);
	row->state = state_of(i->stage, i->again);
	row->away = i->stage >= CMX__HALF_STAGE__STAGE_AWAY;
	row->job = i->job;
	row->bytes_done = i->bytes_done;
	row->bytes_all = i->bytes_all;
	row->freeze_us = i->freeze_us;
	row->since = i->since;
}

/* ---- events ---- */

static void record(struct moved *m, const char *event, const struct moved_row *row,
		   const char *what)
{
	char text[TEXT_MAX];
	struct err e = { 0 };
	int r = store_begin(m->api->store, &e);

	(void)snprintf(text, sizeof(text), "process %u (%s) of %s %s", row->pid, row->command,
		       row->user, what);
	if (!r) {
		r = api_event(m->api, event, row->home, "comosixd", text, &e);
		if (!r)
			r = store_commit(m->api->store, &e);
		else
			store_rollback(m->api->store);
	}
	if (r < 0)
		log_warn("event '%s' is lost: %s", text, e.text);
	else
		bus_events(&m->api->bus);
}

static void tell_end(struct moved *m, const struct moved_row *row, const Cmx__MoveInfo *i)
{
	char what[TEXT_MAX / 2], why[96];
	bool stayed = i->fate == (uint32_t)CMX__HALF_FATE__FATE_STAYED;

	copy(why, sizeof(why), i->text);
	if (i->again && stayed) {
		(void)snprintf(what, sizeof(what), "does not go out again, it stays at home: %s",
			       why);
		record(m, "process.home", row, what);
	} else if (i->again && i->fate == (uint32_t)CMX__HALF_FATE__FATE_HOME) {
		(void)snprintf(what, sizeof(what), "is home from %s: %s", row->node, why);
		record(m, "process.home", row, what);
	} else if (i->fate == (uint32_t)CMX__HALF_FATE__FATE_HOME) {
		(void)snprintf(what, sizeof(what), "is home again from %s", row->node);
		record(m, "process.home", row, what);
	} else if (i->fate == (uint32_t)CMX__HALF_FATE__FATE_LOST) {
		(void)snprintf(what, sizeof(what), "was lost with %s: %s", row->node, why);
		record(m, "process.lost", row, what);
	}
}

static void take(struct moved *m, const Cmx__MoveInfo *i, bool snapshot)
{
	bool ended = i->stage == (uint32_t)CMX__HALF_STAGE__STAGE_ENDED, was_away = false;
	struct moved_row *row, now = { 0 };

	if (i->move_id.len != MOVED_ID_LEN || i->guest)
		return;
	fill(&now, i);
	memcpy(now.id, i->move_id.data, MOVED_ID_LEN);
	pthread_mutex_lock(&m->lock);
	row = find(m, now.id);
	was_away = row && row->away;
	if (ended && row)
		*row = m->rows[--m->n];
	else if (!ended && (row || (row = row_for(m, now.id))))
		*row = now;
	pthread_mutex_unlock(&m->lock);
	bus_live(&m->api->bus);
	if (ended) {
		tell_end(m, &now, i);
	} else if (!snapshot && !was_away && now.away) {
		char what[160];

		(void)snprintf(what, sizeof(what), "runs at %s now", now.node);
		record(m, "process.moved", &now, what);
	}
}

/* ---- following ---- */

/* one connection, from the snapshot on; returns when it ends */
static void follow(struct moved *m, struct local *conn)
{
	bool snapshot = true;
	struct frame f;
	struct err e = { 0 };
	int r;

	while ((r = local_next(conn, &f, &e)) > 0) {
		if (f.type == FRAME_OPEN_OK)
			continue;
		if (f.type != FRAME_MOVE)
			break;

		AUTO_MESSAGE Cmx__MoveInfo *i = message_get(&cmx__move_info__descriptor, f.payload,
							    f.len, &e);

		if (!i)
			break;
		if (!i->end_of_snapshot) {
			take(m, i, snapshot);
			continue;
		}
		snapshot = false;
		pthread_mutex_lock(&m->lock);
		m->connected = true;
		pthread_mutex_unlock(&m->lock);
	}
}

static bool connect_once(struct moved *m, struct local *conn)
{
	struct err e = { 0 };
	bool going;

	*conn = (struct local){ .fd = -1 };
	buf_init(&conn->in, 2 * (FRAME_HEADER + FRAME_PAYLOAD_MAX));
	if (help_moves(&m->api->help_live, &conn->fd, &conn->in, &e) < 0) {
		log_debug("%s", e.text);
		buf_done(&conn->in);
		return false;
	}
	pthread_mutex_lock(&m->lock);
	m->fd = conn->fd;
	going = !m->stopping;
	pthread_mutex_unlock(&m->lock);
	if (!going)
		local_close(conn);
	return going;
}

static void disconnected(struct moved *m)
{
	pthread_mutex_lock(&m->lock);
	m->fd = -1;
	m->connected = false;
	m->n = 0;
	pthread_mutex_unlock(&m->lock);
}

static void *run(void *arg)
{
	struct moved *m = arg;

	do {
		struct local conn;

		if (!connect_once(m, &conn))
			continue;
		follow(m, &conn);
		disconnected(m);
		local_close(&conn);
	} while (bus_pause(&m->api->bus, RETRY_MS));
	return NULL;
}

int moved_start(struct api *a, struct moved **ret, struct err *e)
{
	struct moved *m = calloc(1, sizeof(*m));
	int r;

	if (!m)
		return err_set(e, -ENOMEM, "out of memory");
	m->api = a;
	m->fd = -1;
	pthread_mutex_init(&m->lock, NULL);
	*ret = m; /* before the thread, which answers requests about it */
	r = pthread_create(&m->thread, NULL, run, m);
	if (r) {
		*ret = NULL;
		free(m);
		return err_set(e, -r, "start a thread: %s", strerror(r));
	}
	return 0;
}

void moved_stop(struct moved *m)
{
	if (!m)
		return;
	pthread_mutex_lock(&m->lock);
	m->stopping = true;
	if (m->fd >= 0)
		(void)shutdown(m->fd, SHUT_RDWR); /* it may be closed already at the other end */
	pthread_mutex_unlock(&m->lock);
	bus_stop(&m->api->bus);
	(void)pthread_join(m->thread, NULL); /* joined once, here */
	free(m->rows);
	pthread_mutex_destroy(&m->lock);
	free(m);
}

ssize_t moved_list(struct moved *m, struct moved_row **ret)
{
	ssize_t n = -EAGAIN;

	*ret = NULL;
	if (!m)
		return n;
	pthread_mutex_lock(&m->lock);
	if (m->connected) {
		n = (ssize_t)m->n;
		*ret = calloc(m->n + 1, sizeof(**ret));
		if (!*ret)
			n = -ENOMEM;
		else if (m->n)
			memcpy(*ret, m->rows, m->n * sizeof(**ret));
	}
	pthread_mutex_unlock(&m->lock);
	return n;
}
