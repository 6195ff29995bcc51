/* SPDX-License-Identifier: GPL-2.0-or-later */
/* control.c - a half's end of what it speaks with comosixd */
#include "migrate/control.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "log/log.h"
#include "os/fd.h"
#include "os/sock.h"
#include "wire/message.h"

struct control {
	struct loop *loop;
	struct half_link link;
	struct ev_ref ev, door, kept;
	const struct control_ops *ops;
	void *owner;
	Cmx__HalfState state;
	char note[ERR_TEXT_MAX]; /* state.text, once there is one */
	bool want_transport;	 /* was said, and none has come */
	bool ending;		 /* the last word is known */
	Cmx__HalfEnd end;
	char end_text[ERR_TEXT_MAX];
};

/* what came with Start is kept for control_new(): one half per program */
static struct half_link first = { .fd = -1, .passed = -1 };

static int take_start(Cmx__Half *m, Cmx__HalfStart **ret, struct err *e)
{
	Cmx__HalfStart *s = m->start;

	if (m->body_case != CMX__HALF__BODY_START || s->key.len != HALF_KEY_LEN ||
	    s->move_id.len != HALF_ID_LEN || !s->pid || !s->lease_ms)
		return err_set(e, -EPROTO, "the first message of comosixd is no Start");
	m->start = NULL;
	m->body_case = CMX__HALF__BODY__NOT_SET;
	*ret = s;
	return 0;
}

int control_start(Cmx__HalfStart **ret, struct err *e)
{
	struct pollfd p = { .fd = HALF_FD_CONTROL, .events = POLLIN };
	Cmx__Half *m = NULL;
	int r = half_link_init(&first, HALF_FD_CONTROL);

	if (r < 0)
		return err_set(e, r, "descriptor %d: %s", HALF_FD_CONTROL, strerror(-r));
	while (!r) {
		r = half_link_take(&first, &m, e);
		if (r)
			break;
		if (poll(&p, 1, -1) < 0 && errno != EINTR)
			return err_set(e, -errno, "poll: %s", strerror(errno));
		r = half_link_fill(&first, e);
		r = r < 0 ? r : 0;
	}
	if (r < 0)
		return r;
	r = m ? take_start(m, ret, e) : err_set(e, -EPROTO, "comosixd said nothing");
	message_free(&m);
	return r;
}

/* ---- what we say ---- */

static void hang_up(struct control *c)
{
	loop_remove(c->loop, &c->ev);
	half_link_done(&c->link);
}

/* a daemon that takes nothing is gone, or will be replaced: it connects again */
static void say(struct control *c, const Cmx__Half *m)
{
	struct err e;

	if (c->link.fd < 0 || !half_link_send(&c->link, m, -1, &e))
		return;
	log_debug("comosixd: %s", e.text);
	hang_up(c);
}

static void say_state(struct control *c)
{
	Cmx__Half m = CMX__HALF__INIT;

	m.body_case = CMX__HALF__BODY_STATE;
	m.state = &c->state;
	say(c, &m);
}

void control_state(struct control *c, Cmx__HalfStage stage, uint64_t bytes_done, uint64_t bytes_all,
		   uint32_t freeze_us)
{
	c->state.stage = stage;
	c->state.bytes_done = bytes_done;
	c->state.bytes_all = bytes_all;
	if (freeze_us)
		c->state.freeze_us = freeze_us;
	say_state(c);
}

void control_note(struct control *c, const char *text)
{
	(void)snprintf(c->note, sizeof(c->note), "%s", text);
	c->state.text = c->note;
	say_state(c);
}

void control_again(struct control *c)
{
	c->state.again = true; /* said with the state that follows */
}

Cmx__HalfStage control_stage(const struct control *c)
{
	return c->state.stage;
}

static void say_want(struct control *c)
{
	Cmx__HalfWantTransport want = CMX__HALF_WANT_TRANSPORT__INIT;
	Cmx__Half m = CMX__HALF__INIT;

	m.body_case = CMX__HALF__BODY_WANT_TRANSPORT;
	m.want_transport = &want;
	say(c, &m);
}

void control_want_transport(struct control *c)
{
	c->want_transport = true;
	say_want(c);
}

bool control_open(const struct control *c)
{
	return c && (c->link.fd >= 0 || c->door.gen);
}

static bool say_end(struct control *c)
{
	Cmx__Half m = CMX__HALF__INIT;

	m.body_case = CMX__HALF__BODY_END;
	m.end = &c->end;
	say(c, &m);
	return c->link.fd >= 0;
}

void control_end(struct control *c, int status, Cmx__HalfFate fate, bool again, const char *text)
{
	cmx__half_end__init(&c->end);
	(void)snprintf(c->end_text, sizeof(c->end_text), "%s", text);
	c->end.status = (uint32_t)status;
	c->end.fate = fate;
	c->end.again = again;
	c->end.text = c->end_text;
	c->ending = true;
	(void)say_end(c);
}

bool control_waits(const struct control *c)
{
	return c->ending && c->link.fd < 0 && c->door.gen;
}

/* ---- what we hear ---- */

static void hear_transport(struct control *c, const Cmx__HalfTransport *t)
{
	int fd = half_link_passed(&c->link);

	c->want_transport = false;
	if (c->ops->transport && fd >= 0 && t->key.len == HALF_KEY_LEN)
		c->ops->transport(c->owner, t->key.data, fd);
	else
		fd_close(&fd);
}

static void hear(struct control *c, const Cmx__Half *m)
{
	switch (m->body_case) {
	case CMX__HALF__BODY_HOME:
		if (c->ops->home)
			c->ops->home(c->owner);
		return;
	case CMX__HALF__BODY_TRANSPORT:
		hear_transport(c, m->transport);
		return;
	case CMX__HALF__BODY_DROP:
		c->ops->drop(c->owner, m->drop->text);
		return;
	case CMX__HALF__BODY_START:
	case CMX__HALF__BODY_STATE:
	case CMX__HALF__BODY_END:
	case CMX__HALF__BODY_WANT_TRANSPORT:
	case CMX__HALF__BODY__NOT_SET:
	case _CMX__HALF__BODY__CASE_IS_INT_SIZE:
		break;
	}
	log_warn("comosixd said what is not its to say; ignored");
}

/* all that was read; Return: -errno is its end */
static int hear_all(struct control *c, struct err *e)
{
	Cmx__Half *m;
	int r;

	while ((r = half_link_take(&c->link, &m, e)) == 1) {
		hear(c, m);
		message_free(&m);
		if (c->link.fd < 0)
			return -EPIPE; /* an answer to it could not be said */
	}
	return r;
}

static void on_control(void *owner, uint32_t events)
{
	struct control *c = owner;
	struct err e;
	int r;

	(void)events;
	do
		r = hear_all(c, &e);
	while (!r && (r = half_link_fill(&c->link, &e)) == 1);
	if (r < 0)
		hang_up(c);
}

/* no event of the socket tells what was read together with Start */
static void on_kept(void *owner)
{
	struct control *c = owner;

	c->kept = (struct ev_ref){ 0 };
	if (c->link.fd >= 0)
		on_control(c, EPOLLIN);
}

static int listen_to(struct control *c, struct err *e)
{
	int r = loop_add_fd(c->loop, c->link.fd, EPOLLIN, on_control, c, &c->ev);

	return r < 0 ? err_set(e, r, "watch comosixd: %s", strerror(-r)) : 0;
}

/* a new daemon: the old one, if it is there at all, is none of ours any more */
static void on_door(void *owner, uint32_t events)
{
	struct control *c = owner;
	struct err e;
	int fd;

	(void)events;
	if (sock_accept(HALF_FD_LISTEN, NULL, &fd) < 0)
		return;
	hang_up(c);
	if (half_link_init(&c->link, fd) < 0 || listen_to(c, &e) < 0) {
		half_link_done(&c->link);
		return;
	}
	say_state(c);
	if (c->want_transport)
		say_want(c);
	if (c->ending && say_end(c) && c->ops->told)
		c->ops->told(c->owner);
}

/* ---- life ---- */

/* a half that was started by hand has nobody to listen for */
static bool is_listening(int fd)
{
	int yes = 0;
	socklen_t len = sizeof(yes);

	return !getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &yes, &len) && yes;
}

int control_new(struct loop *l, Cmx__HalfStart *start, const struct control_ops *ops, void *owner,
		struct control **ret, struct err *e)
{
	struct control *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return err_set(e, -ENOMEM, "out of memory");
	c->loop = l;
	c->ops = ops;
	c->owner = owner;
	c->link = first;
	first = (struct half_link){ .fd = -1, .passed = -1 };
	explicit_bzero(start->key.data, start->key.len);
	start->key.len = 0;
	cmx__half_state__init(&c->state);
	c->state.start = start;
	c->state.self = (uint32_t)getpid();
	r = listen_to(c, e);
	if (!r) {
		r = loop_add_timer(l, loop_now(l), on_kept, c, &c->kept);
		if (r < 0)
			(void)err_set(e, r, "hear comosixd: %s", strerror(-r));
	}
	if (!r && is_listening(HALF_FD_LISTEN)) {
		r = loop_add_fd(l, HALF_FD_LISTEN, EPOLLIN, on_door, c, &c->door);
		if (r < 0)
			(void)err_set(e, r, "watch for comosixd: %s", strerror(-r));
	}
	if (r < 0) {
		control_free(c);
		return r;
	}
	*ret = c;
	return 0;
}

void control_free(struct control *c)
{
	if (!c)
		return;
	loop_remove(c->loop, &c->ev);
	loop_remove(c->loop, &c->door);
	loop_remove(c->loop, &c->kept);
	half_link_done(&c->link);
	free(c);
}
