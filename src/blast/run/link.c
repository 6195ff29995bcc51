/* SPDX-License-Identifier: GPL-2.0-or-later */
/* link.c - messages between mpiblast and a worker over a byte stream, on the loop */
#include "blast/run/link.h"

#include <errno.h>

#include "os/fd.h"
#include "wire/control.pb-c.h"

#define IN_MAX	  (2 * (FRAME_HEADER + FRAME_PAYLOAD_MAX))
#define READ_STEP 65536

struct link {
	struct link_setup s;
	struct ev_ref in_ref, out_ref;
	struct buf in, out;
	bool two_fds, dead, busy, freed;
	bool overflow; /* told by the next event, which is asked for */
};

static void drop_watch(struct link *l)
{
	loop_remove(l->s.loop, &l->in_ref);
	loop_remove(l->s.loop, &l->out_ref);
}

static void end(struct link *l, const char *why)
{
	if (l->dead)
		return;
	l->dead = true;
	drop_watch(l);
	l->s.events->closed(l->s.owner, why);
}

static void watch(struct link *l)
{
	uint32_t out = l->out.len || l->overflow ? EPOLLOUT : 0;

	if (l->dead)
		return;
	if (l->two_fds)
		loop_set_fd(l->s.loop, l->out_ref, out);
	else
		loop_set_fd(l->s.loop, l->in_ref, EPOLLIN | out);
}

static void flush(struct link *l)
{
	bool was_full = l->out.len >= LINK_QUEUE_LOW;

	if (l->overflow)
		end(l, "too much waits to be sent to it");
	while (l->out.len && !l->dead) {
		ssize_t n = write(l->s.fd_out, buf_bytes(&l->out), l->out.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0) {
			end(l, strerror(errno));
			return;
		}
		buf_eat(&l->out, (size_t)n);
	}
	watch(l);
	if (!l->dead && was_full && l->out.len < LINK_QUEUE_LOW && l->s.events->room)
		l->s.events->room(l->s.owner);
}

/* OPEN_OK lets the worker speak; ERROR is the daemon's word */
static void take_answer(struct link *l, const struct frame *f)
{
	if (f->type == FRAME_OPEN_OK) {
		l->s.wait_ok = false;
	} else if (f->type == FRAME_ERROR) {
		AUTO_MESSAGE Cmx__Error *m = message_get(&cmx__error__descriptor, f->payload,
							 f->len, NULL);

		end(l, m ? m->text : "the daemon refused and did not say why");
	} else {
		end(l, "the daemon gave an answer that is none");
	}
}

static void take_frame(struct link *l, const struct frame *f)
{
	Cmx__BlastMessage *m;
	struct err e = { 0 };

	if (l->s.wait_ok || f->type == FRAME_ERROR) {
		take_answer(l, f);
		return;
	}
	if (f->type != FRAME_BLAST) {
		end(l, "it sent a frame that is not BLAST's");
		return;
	}
	m = blast_msg_get(l->s.peer, f->payload, f->len, &e);
	if (!m)
		end(l, e.text);
	else
		l->s.events->message(l->s.owner, m);
}

static void take_frames(struct link *l)
{
	struct err e = { 0 };
	struct frame f;
	int r = 0;

	while (!l->dead && (r = frame_take(&l->in, &f, &e)) == 1) {
		take_frame(l, &f);
		buf_eat(&l->in, FRAME_HEADER + f.len);
	}
	if (r < 0)
		end(l, e.text);
}

static void receive(struct link *l)
{
	uint8_t *to;
	ssize_t n;
	int r = buf_room(&l->in, READ_STEP, &to);

	if (r < 0) {
		end(l, strerror(-r));
		return;
	}
	n = read(l->s.fd_in, to, READ_STEP);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		end(l, n ? strerror(errno) : "it closed the connection");
		return;
	}
	buf_grow(&l->in, (size_t)n);
	take_frames(l);
}

static void destroy(struct link *l)
{
	drop_watch(l);
	if (l->two_fds)
		fd_close(&l->s.fd_out);
	fd_close(&l->s.fd_in);
	buf_done(&l->in);
	buf_done(&l->out);
	free(l);
}

static void on_fd(void *owner, uint32_t events)
{
	struct link *l = owner;

	l->busy = true;
	if (events & EPOLLOUT)
		flush(l);
	if (!l->dead && events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		receive(l);
	l->busy = false;
	if (l->freed)
		destroy(l);
}

/* the write side of two fds only tells when it can be written or is broken */
static void on_out(void *owner, uint32_t events)
{
	struct link *l = owner;

	l->busy = true;
	if (events & EPOLLOUT)
		flush(l);
	else if (events & (EPOLLHUP | EPOLLERR))
		end(l, "it closed the connection");
	l->busy = false;
	if (l->freed)
		destroy(l);
}

int link_new(const struct link_setup *s, struct link **ret, struct err *e)
{
	struct link *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return err_set(e, -ENOMEM, "out of memory");
	l->s = *s;
	l->two_fds = s->fd_in != s->fd_out;
	buf_init(&l->in, IN_MAX);
	buf_init(&l->out, LINK_QUEUE_MAX);
	r = fd_nonblock(s->fd_in, 1);
	if (!r)
		r = loop_add_fd(s->loop, s->fd_in, EPOLLIN, on_fd, l, &l->in_ref);
	if (!r && l->two_fds)
		r = fd_nonblock(s->fd_out, 1);
	if (!r && l->two_fds)
		r = loop_add_fd(s->loop, s->fd_out, 0, on_out, l, &l->out_ref);
	if (r < 0) {
		drop_watch(l);
		free(l); /* the fds stay the caller's */
		return err_set(e, r, "watch a worker: %s", strerror(-r));
	}
	*ret = l;
	return 0;
}

void link_free(struct link *l)
{
	if (!l)
		return;
	l->dead = true;
	drop_watch(l);
	if (l->busy)
		l->freed = true; /* its handler is on the stack */
	else
		destroy(l);
}

/* nothing ends here: closed() could pull away what the caller is in the middle of */
static void queued(struct link *l, int r)
{
	l->overflow = l->overflow || r < 0;
	watch(l);
}

void link_send(struct link *l, const Cmx__BlastMessage *m)
{
	if (!l->dead)
		queued(l, blast_msg_put(&l->out, m));
}

void link_send_raw(struct link *l, const void *p, size_t len)
{
	if (!l->dead)
		queued(l, buf_put(&l->out, p, len));
}

size_t link_queued(const struct link *l)
{
	return l->out.len;
}
