/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lab_members.c - whom the nodes of a lab know
 *
 * The comosixd of a node is asked over its own local socket, which is reached through the node's
 * root directory, a descriptor of which the lab's supervisor hands out.
 */
#include "ctl/lab_members.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "ctl/command.h"
#include "ctl/lab_ask.h"
#include "net/local.h"
#include "os/clock.h"
#include "os/fd.h"

#define MEMBERS_MAX   (LAB_NODES_MAX + 1)
#define REQUEST_BYTES 64
#define ALIVE	      "alive"

struct list {
	struct lab_member m[MEMBERS_MAX];
	size_t n;
};

static int open_members(const char *lab, const char *node, bool follow, struct local *ret,
			struct err *e)
{
	Cmx__MembersRequest ask = CMX__MEMBERS_REQUEST__INIT;
	Cmx__Open open = CMX__OPEN__INIT;
	struct channel_msg m;
	char socket[64];
	struct buf body;
	int r, status;

	if (lab_ask(lab, SAY_ROOT, 0, node, &m) != EXIT_ALL_WELL || m.n_fds != 1)
		return err_set(e, -ESRCH, "%s is off", node);
	(void)snprintf(socket, sizeof(socket), "/proc/self/fd/%d%s", m.fds[0],
		       LOCAL_SOCKET_DEFAULT);
	buf_init(&body, REQUEST_BYTES);
	ask.follow = follow;
	r = message_pack(&body, &ask);
	open.kind = CMX__OPEN_KIND__OPEN_MEMBERS;
	open.body.data = (uint8_t *)buf_bytes(&body);
	open.body.len = body.len;
	if (!r)
		r = local_open(ret, socket, &open, &status, e);
	buf_done(&body);
	channel_msg_done(&m);
	return r;
}

static int note(struct list *l, const struct frame *f, bool *ret_end, struct err *e)
{
	AUTO_MESSAGE Cmx__Member *m = NULL;
	size_t i;

	if (f->type != FRAME_MEMBER)
		return err_set(e, -EPROTO, "comosixd answers %s", frame_name(f->type));
	m = message_get(&cmx__member__descriptor, f->payload, f->len, e);
	if (!m)
		return -EPROTO;
	*ret_end |= m->end_of_snapshot;
	if (m->end_of_snapshot)
		return 0;
	for (i = 0; i < l->n && strcmp(l->m[i].name, m->name) != 0; i++)
		continue;
	if (i == MEMBERS_MAX)
		return err_set(e, -E2BIG, "more members than a lab has nodes");
	(void)snprintf(l->m[i].name, MEMBER_NAME_MAX, "%s", m->name);
	(void)snprintf(l->m[i].state, MEMBER_STATE_MAX, "%s", m->state);
	l->n += i == l->n;
	return 0;
}

static uint32_t count_alive(const struct list *l)
{
	uint32_t n = 0;

	for (size_t i = 0; i < l->n; i++)
		n += !strcmp(l->m[i].state, ALIVE);
	return n;
}

/* what is left until the deadline bounds each read; local_next() then says -EAGAIN */
static int bound(int fd, uint64_t deadline_ms, struct err *e)
{
	uint64_t now = clock_boot_ms(), left = now < deadline_ms ? deadline_ms - now : 1;
	struct timeval tv = { .tv_sec = (time_t)(left / 1000),
			      .tv_usec = (suseconds_t)(left % 1000 * 1000) };

	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) < 0)
		return err_set(e, -errno, "SO_RCVTIMEO: %s", strerror(errno));
	return 0;
}

/* read until all are told of and so many are alive; deadline_ms 0: none */
static int read_members(const char *lab, const char *node, uint32_t alive, uint64_t deadline_ms,
			struct list *l, struct err *e)
{
	bool end = false;
	struct local c;
	struct frame f;
	int r = open_members(lab, node, alive > 0, &c, e);

	if (r < 0)
		return r;
	while (!r && (!end || count_alive(l) < alive)) {
		if (deadline_ms)
			r = bound(c.fd, deadline_ms, e);
		if (!r)
			r = local_next(&c, &f, e);
		if (r == -EAGAIN || r == -EWOULDBLOCK)
			r = err_set(e, -ETIMEDOUT, "%s knows %u of %u nodes", node, count_alive(l),
				    alive);
		else if (!r)
			r = err_set(e, -ECONNRESET, "comosixd of %s ended", node);
		else if (r > 0)
			r = note(l, &f, &end, e);
	}
	local_close(&c);
	return r;
}

int lab_members(const char *lab, const char *node, struct lab_member **ret, size_t *ret_n,
		struct err *e)
{
	AUTO_FREE struct list *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return err_set(e, -ENOMEM, "out of memory");
	r = read_members(lab, node, 0, 0, l, e);
	if (r < 0)
		return r;
	*ret = calloc(l->n + 1, sizeof(**ret));
	if (!*ret)
		return err_set(e, -ENOMEM, "out of memory");
	memcpy(*ret, l->m, l->n * sizeof(l->m[0]));
	*ret_n = l->n;
	return 0;
}

int lab_members_wait(const char *lab, const char *node, uint32_t alive, uint64_t deadline_ms,
		     struct err *e)
{
	AUTO_FREE struct list *l = calloc(1, sizeof(*l));

	return l ? read_members(lab, node, alive, deadline_ms, l, e)
		 : err_set(e, -ENOMEM, "out of memory");
}
