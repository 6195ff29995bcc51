/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * conn.c - a byte stream in the loop: a socket with no, one or two TLS sessions on it
 *
 * Theory of operation. stage[0] is the fd's side, stage[n] the owner's. Upwards a pump moves bytes
 * fd -> layer 0 -> layer 1 -> in; downwards out -> layer n-1 -> ... -> fd. A pump runs when the fd
 * is ready, and by a timer of zero length ("kick") when the owner made room or sent something while
 * the fd had nothing to say. While a handler of the owner runs, `busy` keeps a freed connection's
 * memory alive until the pump has left it.
 */
#include "net/conn.h"

#include <assert.h>
#include <errno.h>
#include <sys/socket.h>

#include "os/fd.h"
#include "os/sock.h"
#include "wire/message.h"

#define LAYERS_MAX  2
#define READ_STEP   65536
#define READ_BUDGET 262144 /* bytes per turn: others want to be served too */
#define CIPHER_HIGH 131072 /* no more is encrypted while so much waits for the fd */
#define KEEP_CAP    16384  /* an empty buffer larger than this gives its memory back */
#define BEAR_MS	    (CONN_DEAD_PEER_MS / 6) /* between two looks at what is on its way */

struct conn {
	struct loop *loop;
	int fd;
	struct ev_ref ev, kick, timer, bear; /* bear: something is on its way to a TCP peer */
	uint32_t events;
	const struct conn_ops *ops;
	void *owner;
	struct tls *layer[LAYERS_MAX];
	unsigned int n_layers, n_open;
	struct buf in, out;
	unsigned int busy;
	bool connecting; /* TCP's handshake is under way */
	bool fd_eof;	 /* the fd's other side has ended */
	bool ended;	 /* the peer has ended its half */
	bool end_wanted; /* conn_end() was called */
	bool end_sent;	 /* ... and went out of the top layer */
	bool shut;	 /* ... and of the fd */
	bool above_low;	 /* drained() is owed */
	bool owed;	 /* received() is owed without new bytes */
	bool stuffed;	 /* reading stopped because in was full */
	bool deaf;	 /* the peer takes no more: what is sent is dropped */
	bool hung_up;	 /* the fd said EPOLLHUP and is watched no more */
	bool dead;	 /* freed while busy */
	bool broken;	 /* closed() was or is being told */
};

static const struct conn_ops linger_ops;

static void on_kick(void *owner);
static void on_deadline(void *owner);
static void bear(struct conn *c);

static void destroy(struct conn *c)
{
	loop_remove(c->loop, &c->ev);
	loop_remove(c->loop, &c->kick);
	loop_remove(c->loop, &c->timer);
	loop_remove(c->loop, &c->bear);
	for (unsigned int i = 0; i < c->n_layers; i++)
		tls_free(c->layer[i]);
	buf_done(&c->in);
	buf_done(&c->out);
	fd_close(&c->fd);
	free(c);
}

void conn_free(struct conn *c)
{
	if (!c || c->dead)
		return;
	c->dead = true;
	if (!c->busy)
		destroy(c);
}

static void give_back(struct buf *b)
{
	if (!b->len && b->cap > KEEP_CAP)
		buf_done(b);
}

static void kick(struct conn *c)
{
	if (c->kick.slot || c->dead)
		return;
	/* without memory for a timer the next event of the fd does the work */
	(void)!loop_add_timer(c->loop, loop_now(c->loop), on_kick, c, &c->kick);
}

static void set_timer(struct conn *c, uint64_t at_ms)
{
	loop_remove(c->loop, &c->timer);
	if (at_ms)
		(void)!loop_add_timer(c->loop, at_ms, on_deadline, c, &c->timer);
}

static void watch(struct conn *c)
{
	uint32_t want = 0;
	bool all_open = c->n_open == c->n_layers;
	bool out = (all_open && (c->out.len || (c->end_wanted && !c->end_sent))) ||
		   (c->n_layers && tls_out(c->layer[0])->len);

	if (c->broken)
		want = 0;
	else if (c->connecting)
		want = EPOLLOUT;
	else
		want = (!c->fd_eof && c->in.len < c->in.max ? EPOLLIN : 0U) | (out ? EPOLLOUT : 0U);
	if (want != c->events)
		loop_set_fd(c->loop, c->ev, want);
	c->events = want;
}

/* the end of a handler: the memory may go, or the fd is watched for what is wanted now */
static void leave(struct conn *c)
{
	if (--c->busy)
		return;
	if (c->dead) {
		destroy(c);
		return;
	}
	if (c->n_layers)
		give_back(tls_in(c->layer[0]));
	watch(c);
	if (c->hung_up && !c->fd_eof && !c->broken && c->in.len < c->in.max)
		kick(c);
}

/* tell the owner that it is over; nothing else is told after */
static void broken(struct conn *c, const struct err *why)
{
	if (c->broken || c->dead)
		return;
	c->broken = true;
	c->ops->closed(c->owner, why);
}

/* ---- down: from the owner to the fd ---- */

static void on_bear(void *owner)
{
	struct conn *c = owner;

	c->bear = (struct ev_ref){ 0 };
	if (sock_tcp_bear(c->fd, CONN_DEAD_PEER_MS))
		bear(c);
}

/* without memory for a timer the peer has CONN_DEAD_PEER_MS to take something */
static void bear(struct conn *c)
{
	if (!c->bear.slot && c->n_layers)
		(void)!loop_add_timer(c->loop, loop_now(c->loop) + BEAR_MS, on_bear, c, &c->bear);
}

static void write_fd(struct conn *c, struct buf *from)
{
	if (from->len)
		bear(c);
	while (from->len) {
		ssize_t n = send(c->fd, buf_bytes(from), from->len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		/* nobody reads any more; what was written to us may still be read */
		c->deaf |= n < 0;
		buf_eat(from, n < 0 ? from->len : (size_t)n);
	}
	give_back(from);
}

/* encrypt from one stage into the layer below, as long as that one is not full */
static int encrypt(struct tls *t, struct buf *from, struct err *e)
{
	while (from->len && tls_out(t)->len < CIPHER_HIGH) {
		size_t n = from->len < TLS_RECORD_MAX ? from->len : TLS_RECORD_MAX;
		int r = tls_write(t, buf_bytes(from), n, e);

		if (r < 0)
			return r;
		buf_eat(from, n);
	}
	give_back(from);
	return 0;
}

/* the bytes that stage i hands down: of the layer above it, or the owner's */
static struct buf *above(struct conn *c, unsigned int i)
{
	return i + 1 < c->n_layers ? tls_out(c->layer[i + 1]) : &c->out;
}

static int pump_down(struct conn *c, struct err *e)
{
	bool all_open = c->n_open == c->n_layers;
	int r;

	for (unsigned int i = c->n_layers; i-- > 0;) {
		if (i >= c->n_open)
			continue; /* its handshake writes into tls_out() by itself */
		r = encrypt(c->layer[i], above(c, i), e);
		if (r < 0)
			return r;
	}
	/* our end goes down layer by layer, each when the one above has nothing left */
	if (c->end_wanted && !c->end_sent && all_open && !c->out.len) {
		c->end_sent = true;
		for (unsigned int i = c->n_layers; i-- > 0;) {
			r = encrypt(c->layer[i], above(c, i), e);
			if (r < 0)
				return r;
			if (above(c, i)->len)
				c->end_sent = false;
			else
				tls_end(c->layer[i]);
			if (!c->end_sent)
				break;
		}
	}
	write_fd(c, c->n_layers ? tls_out(c->layer[0]) : &c->out);
	if (c->end_sent && !c->shut && conn_flushed(c)) {
		c->shut = true;
		c->owed = true; /* our last words are said */
		/* fails only when the other side is gone, which reading tells */
		(void)shutdown(c->fd, SHUT_WR);
	}
	return 0;
}

/* ---- up: from the fd to the owner ---- */

static int read_fd(struct conn *c, struct buf *to, size_t *budget, struct err *e)
{
	while (*budget && !c->fd_eof) {
		size_t room = to->max - to->len;
		uint8_t *p;
		ssize_t n;
		int r;

		room = room < READ_STEP ? room : READ_STEP;
		if (!room)
			return 0;
		r = buf_room(to, room, &p);
		if (r < 0)
			return err_set(e, r, "receive: %s", strerror(-r));
		n = read(c->fd, p, room);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return 0;
		/*
		 * A local peer that closes with our bytes unread is told as a reset, behind all
		 * that it said (unix_release_sock()): that is how a command ends which did not
		 * want its input. With TLS the peer's end is a word of its own.
		 */
		if (n < 0 && errno == ECONNRESET && !c->n_layers) {
			c->deaf = true;
			n = 0;
		}
		if (n < 0)
			return err_set(e, -errno, "receive: %s", strerror(errno));
		if (!n)
			c->fd_eof = true;
		buf_grow(to, (size_t)n);
		*budget -= (size_t)n < *budget ? (size_t)n : *budget;
		if ((size_t)n < room)
			return 0;
	}
	return 0;
}

/* one layer's step: 1 it moved something, 0 not, -ENODATA it has ended, -errno */
static int layer_up(struct conn *c, unsigned int i, struct err *e)
{
	struct buf *to = i + 1 < c->n_layers ? tls_in(c->layer[i + 1]) : &c->in;
	int r;

	if (i < c->n_open)
		return tls_read(c->layer[i], to, e);
	if (i > c->n_open)
		return 0;
	r = tls_handshake(c->layer[i], e);
	if (r <= 0)
		return r;
	c->n_open++;
	set_timer(c, 0);
	if (c->n_open == c->n_layers)
		c->ops->opened(c->owner);
	return 1;
}

static int pump_up(struct conn *c, struct err *e)
{
	size_t budget = READ_BUDGET;
	int r;

	if (!c->n_layers) {
		r = c->in.len < c->in.max ? read_fd(c, &c->in, &budget, e) : 0;
		c->ended |= c->fd_eof;
		return r;
	}
	if (c->in.len < c->in.max) {
		r = read_fd(c, tls_in(c->layer[0]), &budget, e);
		if (r < 0)
			return r;
	}
	if (c->fd_eof)
		tls_in_end(c->layer[0]);
	for (unsigned int i = 0; i < c->n_layers && !c->dead; i++) {
		unsigned int open = c->n_open;

		r = layer_up(c, i, e);
		if (!c->dead && c->n_open > open)
			r = layer_up(c, i,
				     e); /* its first words may have come with the last ones */
		if (r == -ENODATA && i + 1 < c->n_layers)
			tls_in_end(c->layer[i + 1]);
		else if (r == -ENODATA)
			c->ended = true;
		else if (r < 0)
			return r;
	}
	return 0;
}

/* ---- events ---- */

static void tell(struct conn *c, size_t in_before, bool ended_before)
{
	bool news = c->owed || c->in.len > in_before || c->ended != ended_before;

	c->owed = false;
	if (!c->dead && !c->broken && news)
		c->ops->received(c->owner);
	if (c->dead || c->broken)
		return;
	if (c->above_low && c->out.len < CONN_OUT_LOW) {
		c->above_low = false;
		if (c->ops->drained)
			c->ops->drained(c->owner);
	}
}

static void pump(struct conn *c)
{
	size_t in_before = c->in.len;
	bool ended_before = c->ended;
	struct err e = { 0 };
	int r;

	c->busy++;
	r = pump_up(c, &e);
	if (!c->dead) {
		struct err down = { 0 };
		int d = pump_down(c, &down);

		/* what was received before the failure counts first */
		c->stuffed = c->in.len >= c->in.max;
		tell(c, in_before, ended_before);
		if (r < 0 || d < 0)
			broken(c, r < 0 ? &e : &down);
	}
	leave(c);
}

static void on_fd(void *owner, uint32_t events)
{
	struct conn *c = owner;

	if (c->connecting) {
		struct err e = { 0 };
		int r = sock_error(c->fd);

		c->connecting = false;
		if (r < 0) {
			(void)err_set(&e, r, "connect: %s", strerror(-r));
			c->busy++;
			broken(c, &e);
			leave(c);
			return;
		}
		set_timer(c, c->n_layers ? loop_now(c->loop) + CONN_OPEN_MS : 0);
	}
	/* comes unasked and for ever; what can still be read is read without being told to */
	if (events & (EPOLLHUP | EPOLLERR)) {
		loop_remove(c->loop, &c->ev);
		c->hung_up = true;
		c->owed |= c->fd_eof;
	}
	if (!c->broken)
		pump(c);
}

static void on_kick(void *owner)
{
	struct conn *c = owner;

	c->kick = (struct ev_ref){ 0 };
	if (!c->connecting && !c->broken)
		pump(c);
}

static void on_deadline(void *owner)
{
	struct conn *c = owner;
	struct err e = { 0 };

	c->timer = (struct ev_ref){ 0 };
	(void)err_set(&e, -ETIMEDOUT, "%s",
		      c->connecting		? "no answer to the attempt to connect"
		      : c->n_open < c->n_layers ? "the peer stalled in the handshake"
						: "the peer stalled");
	c->busy++;
	broken(c, &e);
	leave(c);
}

/* ---- public ---- */

int conn_new(struct loop *l, int fd, const struct conn_ops *ops, void *owner, struct conn **ret,
	     struct err *e)
{
	struct conn *c = calloc(1, sizeof(*c));
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	int r;

	if (!c)
		return err_set(e, -ENOMEM, "out of memory");
	c->loop = l;
	c->fd = fd;
	c->ops = ops;
	c->owner = owner;
	c->connecting = getpeername(fd, (struct sockaddr *)&ss, &len) < 0;
	buf_init(&c->in, CONN_IN_MAX);
	buf_init(&c->out, CONN_OUT_MAX);
	c->events = c->connecting ? EPOLLOUT : EPOLLIN;
	r = loop_add_fd(l, fd, c->events, on_fd, c, &c->ev);
	if (r < 0) {
		free(c);
		return err_set(e, r, "watch a connection: %s", strerror(-r));
	}
	if (c->connecting)
		set_timer(c, loop_now(l) + CONN_OPEN_MS);
	*ret = c;
	return 0;
}

int conn_secure(struct conn *c, struct tls_creds *creds, bool client, tls_check_fn *check,
		void *check_owner, struct err *e)
{
	struct tls *t;
	int r;

	assert(c->n_layers < LAYERS_MAX && c->n_open == c->n_layers && !c->end_wanted);
	r = tls_new(creds, client, check, check_owner, &t, e);
	if (r < 0)
		return r;
	/* what the peer sent after its last word of the layer below belongs to this one */
	r = buf_put(tls_in(t), buf_bytes(&c->in), c->in.len);
	if (r < 0) {
		tls_free(t);
		return err_set(e, r, "%s", strerror(-r));
	}
	buf_eat(&c->in, c->in.len);
	if (c->out.len && c->n_layers) {
		r = encrypt(c->layer[c->n_layers - 1], &c->out, e);
		if (r < 0 || c->out.len) {
			tls_free(t);
			return r < 0 ? r : err_set(e, -EBUSY, "too much is waiting to be sent");
		}
	}
	c->layer[c->n_layers++] = t;
	set_timer(c, loop_now(c->loop) + CONN_OPEN_MS);
	kick(c);
	return 0;
}

void conn_own(struct conn *c, const struct conn_ops *ops, void *owner)
{
	c->ops = ops;
	c->owner = owner;
	c->owed = c->in.len || c->ended;
	if (c->owed)
		kick(c);
}

struct buf *conn_in(struct conn *c)
{
	return &c->in;
}

void conn_ate(struct conn *c)
{
	give_back(&c->in);
	if (c->stuffed)
		kick(c); /* a layer may hold bytes that the fd will not tell of again */
	else if (!c->busy)
		watch(c);
}

bool conn_ended(const struct conn *c)
{
	return c->ended;
}

bool conn_gone(const struct conn *c)
{
	return c->ended && (c->deaf || (c->hung_up && !c->n_layers));
}

int conn_send(struct conn *c, const void *p, size_t n)
{
	int r;

	assert(!c->end_wanted);
	if (c->broken)
		return -EPIPE;
	r = buf_put(&c->out, p, n);
	if (r < 0)
		return r;
	c->above_low |= c->out.len >= CONN_OUT_LOW;
	kick(c);
	return 0;
}

int conn_send_frame(struct conn *c, enum frame_type type, const void *p, size_t n)
{
	int r;

	assert(!c->end_wanted);
	if (c->broken)
		return -EPIPE;
	r = frame_put(&c->out, type, p, n);
	if (r < 0)
		return r;
	c->above_low |= c->out.len >= CONN_OUT_LOW;
	kick(c);
	return 0;
}

int conn_send_message(struct conn *c, enum frame_type type, const void *msg)
{
	int r;

	assert(!c->end_wanted);
	if (c->broken)
		return -EPIPE;
	r = message_put(&c->out, type, msg);
	if (r < 0)
		return r;
	c->above_low |= c->out.len >= CONN_OUT_LOW;
	kick(c);
	return 0;
}

size_t conn_room(const struct conn *c)
{
	return c->out.max - c->out.len;
}

bool conn_flushed(const struct conn *c)
{
	if (c->out.len || (c->end_wanted && !c->end_sent))
		return false;
	for (unsigned int i = 0; i < c->n_layers; i++)
		if (tls_out(c->layer[i])->len)
			return false;
	return true;
}

void conn_end(struct conn *c)
{
	c->end_wanted = true;
	kick(c);
}

void conn_deadline(struct conn *c, uint64_t at_ms)
{
	set_timer(c, at_ms);
}

const struct identity *conn_peer(const struct conn *c)
{
	assert(c->n_layers && c->n_open == c->n_layers);
	return tls_peer(c->layer[c->n_layers - 1]);
}

int conn_export(struct conn *c, const char *label, uint8_t *ret, size_t n, struct err *e)
{
	assert(c->n_layers && c->n_open == c->n_layers);
	return tls_export(c->layer[c->n_layers - 1], label, ret, n, e);
}

/* ---- without TLS ---- */

unsigned int conn_layers(const struct conn *c)
{
	return c->n_layers;
}

int conn_fd(const struct conn *c)
{
	return c->fd;
}

int conn_detach(struct conn *c, int *ret_fd, struct err *e)
{
	int r;

	if (c->n_layers != 1 || !c->n_open)
		return err_set(e, -EBUSY, "the stream is another one's, inside a relay's");
	if (c->broken || c->dead || c->deaf || c->end_wanted || c->fd_eof)
		return err_set(e, -EBUSY, "the stream has ended");
	r = pump_down(c, e);
	if (r < 0)
		return r;
	if (!conn_flushed(c))
		return err_set(e, -EBUSY, "the peer takes nothing");
	if (c->in.len || !tls_idle(c->layer[0]))
		return err_set(e, -EBUSY, "the peer spoke out of turn");
	*ret_fd = fd_take(&c->fd);
	loop_remove(c->loop, &c->ev); /* before the owner may close it */
	conn_free(c);
	return 0;
}

/* ---- a connection that nobody owns ---- */

static void linger_received(void *owner)
{
	struct conn *c = owner;

	buf_eat(&c->in, c->in.len);
	conn_ate(c);
	if (c->deaf || (c->ended && conn_flushed(c)))
		conn_free(c);
}

static void linger_drained(void *owner)
{
}

static void linger_closed(void *owner, const struct err *why)
{
	conn_free(owner);
}

static const struct conn_ops linger_ops = {
	.opened = linger_drained,
	.received = linger_received,
	.drained = linger_drained,
	.closed = linger_closed,
};

void conn_linger(struct conn *c)
{
	if (!c || c->dead)
		return;
	if (c->broken) {
		conn_free(c);
		return;
	}
	c->ops = &linger_ops;
	c->owner = c;
	c->owed = true;
	set_timer(c, loop_now(c->loop) + CONN_LINGER_MS);
	conn_end(c);
}
