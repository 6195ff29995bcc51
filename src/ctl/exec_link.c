/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exec_link.c - the connection that carries one node's command */
#include "ctl/exec_link.h"

#include <errno.h>
#include <sys/socket.h>

#include "net/local.h"
#include "os/fd.h"
#include "os/sock.h"

#define IN_STEP 65536
#define IN_MAX	(FRAME_HEADER + FRAME_PAYLOAD_MAX + IN_STEP)
#define OUT_MAX (EXEC_WINDOW + FRAME_PAYLOAD_MAX + 65536)

static void update(struct exec_link *l);

static void flush(struct exec_link *l)
{
	while (l->out.len && !l->ended) {
		ssize_t n = send(l->fd, buf_bytes(&l->out), l->out.len, MSG_NOSIGNAL);

		if (n >= 0)
			buf_eat(&l->out, (size_t)n);
		else if (errno == EAGAIN)
			return;
		else if (errno == EPIPE || errno == ECONNRESET)
			buf_reset(&l->out); /* what it said before is still to be read */
		else if (errno != EINTR)
			l->ended = true;
	}
}

static void fill(struct exec_link *l)
{
	uint8_t *to;
	ssize_t n;

	if (l->in.len + IN_STEP > l->in.max || buf_room(&l->in, IN_STEP, &to) < 0)
		return;
	n = read(l->fd, to, IN_STEP);
	if (n > 0)
		buf_grow(&l->in, (size_t)n);
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		l->ended = true;
}

static void on_event(void *owner, uint32_t events)
{
	struct exec_link *l = owner;

	flush(l);
	if (!l->paused)
		fill(l);
	update(l);
	l->on_ready(l->owner); /* may close the link */
}

/* a paused link is not watched at all: its end would be told again and again */
static void update(struct exec_link *l)
{
	uint32_t events = (l->paused ? 0 : EPOLLIN) | (l->out.len ? EPOLLOUT : 0);

	if (l->ended || !events) {
		loop_remove(l->loop, &l->ev);
		return;
	}
	if (l->ev.gen)
		loop_set_fd(l->loop, l->ev, events);
	else if (loop_add_fd(l->loop, l->fd, events, on_event, l, &l->ev) < 0)
		l->ended = true;
}

int exec_link_open(struct exec_link *l, struct loop *loop, const Cmx__Open *open,
		   void (*on_ready)(void *), void *owner, struct err *e)
{
	const char *path = getenv("COMOSIX_SOCKET");
	struct exec_link n = { .loop = loop, .fd = -1, .on_ready = on_ready, .owner = owner };
	int r = sock_unix_connect(path ? path : LOCAL_SOCKET_DEFAULT, &n.fd, e);

	if (r < 0)
		return r == -EAGAIN ? r : err_prefix(e, "comosixd is not running here");
	buf_init(&n.in, IN_MAX);
	buf_init(&n.out, OUT_MAX);
	r = message_put(&n.out, FRAME_OPEN, open);
	if (r < 0) {
		exec_link_close(&n);
		return err_set(e, r, r == -EMSGSIZE ? "the command line is too long" : "%s",
			       strerror(-r));
	}
	*l = n;
	flush(l);
	update(l);
	return 0;
}

void exec_link_close(struct exec_link *l)
{
	if (!l->loop)
		return;
	loop_remove(l->loop, &l->ev);
	fd_close(&l->fd);
	buf_done(&l->in);
	buf_done(&l->out);
	l->ended = true;
}

int exec_link_next(const struct exec_link *l, struct frame *ret, struct err *e)
{
	return frame_take(&l->in, ret, e);
}

void exec_link_eat(struct exec_link *l, const struct frame *f)
{
	buf_eat(&l->in, FRAME_HEADER + f->len);
}

void exec_link_pause(struct exec_link *l, bool on)
{
	if (l->paused == on)
		return;
	l->paused = on;
	update(l);
}

void exec_link_send(struct exec_link *l, enum frame_type type, const ProtobufCMessage *m)
{
	int r = m ? message_put(&l->out, type, m) : frame_put(&l->out, type, NULL, 0);

	if (r < 0)
		l->ended = true;
	flush(l);
	update(l);
}

bool exec_link_has_room(const struct exec_link *l)
{
	return l->unanswered < EXEC_PIECES;
}

void exec_link_input(struct exec_link *l, const void *p, size_t n)
{
	int r = frame_put(&l->out, FRAME_STDIN, p, n);

	if (!r && n) {
		l->unanswered++;
		r = frame_put(&l->out, FRAME_PING, NULL, 0);
	}
	if (r < 0)
		l->ended = true;
	flush(l);
	update(l);
}

bool exec_link_pong(struct exec_link *l)
{
	if (!l->unanswered)
		return false;
	l->unanswered--;
	return true;
}
