/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exec_sink.c - a bounded queue in front of our own standard output or error */
#include "ctl/exec_sink.h"

#include <errno.h>
#include <limits.h>
#include <unistd.h>

#include "os/fd.h"

#define HIGH 262144
#define MOST (64 << 20) /* a line for each of very many nodes that have failed */

void exec_sink_init(struct exec_sink *s, struct loop *l, int fd, void (*on_room)(void *),
		    void *owner)
{
	*s = (struct exec_sink){ .loop = l, .fd = fd, .on_room = on_room, .owner = owner };
	buf_init(&s->queue, MOST);
}

bool exec_sink_full(const struct exec_sink *s)
{
	return s->queue.len >= HIGH;
}

static void fail(struct exec_sink *s, int error)
{
	s->failed = error;
	buf_reset(&s->queue);
	loop_remove(s->loop, &s->ev);
}

/* PIPE_BUF bytes fit whenever a pipe is said to be writable, pipe(7) */
static void write_some(struct exec_sink *s)
{
	size_t len = s->queue.len;
	ssize_t n;

	if (!s->always_ready && len > PIPE_BUF)
		len = PIPE_BUF;
	n = write(s->fd, buf_bytes(&s->queue), len);
	if (n > 0)
		buf_eat(&s->queue, (size_t)n);
	else if (n < 0 && errno != EINTR && errno != EAGAIN)
		fail(s, -errno);
}

static void on_writable(void *owner, uint32_t events)
{
	struct exec_sink *s = owner;
	bool full = exec_sink_full(s);

	write_some(s);
	if (!s->queue.len)
		loop_remove(s->loop, &s->ev);
	if (full && !exec_sink_full(s))
		s->on_room(s->owner);
}

static void watch(struct exec_sink *s)
{
	int r;

	if (s->ev.gen || s->always_ready || s->failed)
		return;
	r = loop_add_fd(s->loop, s->fd, EPOLLOUT, on_writable, s, &s->ev);
	if (r == -EPERM) /* epoll does not take regular files, epoll_ctl(2) */
		s->always_ready = true;
	else if (r < 0)
		fail(s, r);
}

void exec_sink_put(struct exec_sink *s, const void *p, size_t n)
{
	if (s->failed || !n)
		return;
	if (buf_put(&s->queue, p, n) < 0) {
		fail(s, -ENOBUFS);
		return;
	}
	watch(s);
	while (s->always_ready && s->queue.len)
		write_some(s);
}

int exec_sink_done(struct exec_sink *s)
{
	loop_remove(s->loop, &s->ev);
	if (!s->failed && s->queue.len)
		s->failed = fd_write_all(s->fd, buf_bytes(&s->queue), s->queue.len);
	buf_done(&s->queue);
	return s->failed;
}
