/* SPDX-License-Identifier: GPL-2.0-or-later */
/* local.c - a command talks to the comosixd of its own node (blocking) */
#include "net/local.h"

#include <errno.h>

#include "os/fd.h"
#include "os/sock.h"

#define IN_MAX	  (2 * (FRAME_HEADER + FRAME_PAYLOAD_MAX))
#define READ_STEP 65536

void local_close(struct local *l)
{
	fd_close(&l->fd);
	buf_done(&l->in);
}

/* the frame that local_next() returned last is dropped by the next call */
static void drop_last(struct local *l)
{
	struct frame f;

	if (frame_take(&l->in, &f, NULL) == 1)
		buf_eat(&l->in, FRAME_HEADER + f.len);
}

static int fill(struct local *l, struct err *e)
{
	uint8_t *to;
	ssize_t n;
	int r = buf_room(&l->in, READ_STEP, &to);

	if (r < 0)
		return err_set(e, r, "receive from comosixd: %s", strerror(-r));
	do
		n = read(l->fd, to, READ_STEP);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_set(e, -errno, "receive from comosixd: %s", strerror(errno));
	buf_grow(&l->in, (size_t)n);
	return n > 0;
}

static int next(struct local *l, struct frame *ret, struct err *e)
{
	for (;;) {
		int r = frame_take(&l->in, ret, e);

		if (r)
			return r;
		r = fill(l, e);
		if (r < 0)
			return r;
		if (!r && l->in.len)
			return err_set(e, -EPIPE, "comosixd closed in the middle of a frame");
		if (!r)
			return 0;
	}
}

int local_next(struct local *l, struct frame *ret, struct err *e)
{
	drop_last(l);
	return next(l, ret, e);
}

/* the first answer decides */
static int answer(struct local *l, int *ret_status, struct err *e)
{
	struct frame f;
	int r = next(l, &f, e);

	if (r < 0)
		return r;
	if (!r)
		return err_set(e, -EPIPE, "comosixd closed without an answer; see its log");
	if (f.type == FRAME_OPEN_OK)
		return 0; /* stays in the buffer until the first local_next() */
	if (f.type == FRAME_ERROR) {
		AUTO_MESSAGE Cmx__Error *m = message_get(&cmx__error__descriptor, f.payload, f.len,
							 e);

		if (!m)
			return -EPROTO;
		*ret_status = (int)m->status;
		return err_set(e, -EREMOTE, "%s", m->text);
	}
	return err_set(e, -EPROTO, "comosixd answered with %s", frame_name(f.type));
}

int local_open(struct local *l, const char *socket, const Cmx__Open *open, int *ret_status,
	       struct err *e)
{
	struct local c = { .fd = -1 };
	struct buf b;
	int r;

	if (!socket)
		socket = getenv("COMOSIX_SOCKET");
	if (!socket)
		socket = LOCAL_SOCKET_DEFAULT;
	r = sock_unix_connect(socket, &c.fd, e);
	if (r < 0)
		return err_prefix(e, "comosixd is not running here");
	buf_init(&c.in, IN_MAX);
	buf_init(&b, FRAME_HEADER + FRAME_PAYLOAD_MAX);
	r = fd_nonblock(c.fd, 0);
	if (!r)
		r = message_put(&b, FRAME_OPEN, open);
	if (!r)
		r = fd_write_all(c.fd, buf_bytes(&b), b.len);
	buf_done(&b);
	if (r < 0)
		r = err_set(e, r, "send to comosixd: %s", strerror(-r));
	else
		r = answer(&c, ret_status, e);
	if (r < 0) {
		local_close(&c);
		return r;
	}
	*l = c;
	return 0;
}
