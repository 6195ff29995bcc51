/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * channel.c - TLS around a move_link, and what becomes of both when the transport breaks
 *
 * Theory of operation. The TLS library is given two buffers instead of the socket, so that one
 * system call moves whatever there is: it would ask for each record's header, its body, and once
 * more to hear that there is nothing, and write each record by itself.
 *
 *	channel_send() -> link.out -> TLS -> raw_out -> one send()
 *	one recv() -> raw_in -> TLS -> link.in -> ops->frame()
 *
 * A recv() that gave less than there was room for has emptied the socket: nobody asks again before
 * epoll says so. raw_out takes records as long as RAW_OUT bytes are not in it; what is more waits in
 * link.out, whose bound is the one that counts (wire/move.h).
 */
#include "migrate/channel.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "os/clock.h"
#include "os/fd.h"

/* nothing else than the key: no certificates, no fallback, no other version */
#define PRIORITY                                                                                   \
	"NONE:+VERS-TLS1.3:+ECDHE-PSK:+AES-128-GCM:+CHACHA20-POLY1305:+AEAD:+SHA256:"              \
	"+GROUP-X25519:+GROUP-SECP256R1:+SIGN-ALL:%DISABLE_SAFE_RENEGOTIATION"
#define USERNAME       "move"
#define HANDSHAKE_MS   10000
#define READ_BYTES     65536
#define RAW_IN	       65536
#define RAW_OUT	       (64U << 10)
#define RECORD_MAX     (16384 + 512) /* of TLS, with all that is around it */
#define HELD_MAX       (64U << 10)   /* then it goes, channel_hold() or not */
#define RECORDS_A_TURN 64	     /* then nothing more is read before others had their turn */

struct channel {
	struct loop *loop;
	struct ev_ref fd_ref, beat_ref, gone_ref;
	int fd; /* -1: cut, and not replaced yet */
	bool client;
	bool up;      /* the handshake of this transport is done */
	bool begun;   /* one was done: there is something to resume */
	bool cutting; /* this transport has failed: on_cut() is about to come */
	bool dead;    /* for good */
	bool want_write;
	bool drained; /* the socket had nothing more since epoll said that it has */
	bool ended;   /* the peer has closed it */
	bool held;    /* channel_hold() */
	struct buf raw_in, raw_out;
	uint64_t shake_until_ms;
	uint8_t key[CHANNEL_KEY];
	uint64_t heard_ms;
	struct move_link link;
	gnutls_session_t tls;
	gnutls_psk_client_credentials_t client_creds;
	gnutls_psk_server_credentials_t server_creds;
	const struct channel_ops *ops;
	void *owner;
	struct err why;
};

static void close_transport(struct channel *c)
{
	loop_remove(c->loop, &c->fd_ref);
	if (c->tls)
		gnutls_deinit(c->tls);
	if (c->client_creds)
		gnutls_psk_free_client_credentials(c->client_creds);
	if (c->server_creds)
		gnutls_psk_free_server_credentials(c->server_creds);
	c->tls = NULL;
	c->client_creds = NULL;
	c->server_creds = NULL;
	explicit_bzero(c->key, sizeof(c->key));
	fd_close(&c->fd);
	buf_reset(&c->raw_in);
	buf_reset(&c->raw_out);
	c->up = c->cutting = c->drained = c->ended = false;
}

static void on_dead(void *owner)
{
	struct channel *c = owner;

	c->gone_ref = (struct ev_ref){ 0 };
	c->ops->broken(c->owner, &c->why);
}

static void on_cut(void *owner)
{
	struct channel *c = owner;
	int r = move_resume(&c->link);

	c->gone_ref = (struct ev_ref){ 0 };
	close_transport(c);
	if (!r && c->ops->cut && c->ops->cut(c->owner, &c->why))
		return;
	c->dead = true;
	c->ops->broken(c->owner, &c->why);
}

/* the owner hears of it from the loop, never from inside a call of its own */
static void tell(struct channel *c, loop_timer_fn *fn)
{
	loop_remove(c->loop, &c->gone_ref);
	if (loop_add_timer(c->loop, 0, fn, c, &c->gone_ref) < 0)
		abort(); /* a slot was given back by our fd */
}

static void break_up(struct channel *c, int code, const char *text)
{
	if (c->dead)
		return;
	c->dead = true;
	(void)err_set(&c->why, code, "%s", text);
	loop_remove(c->loop, &c->fd_ref);
	loop_remove(c->loop, &c->beat_ref);
	tell(c, on_dead);
}

/*
 * The transport has failed. What was sent over it and not acknowledged is in the link, which is
 * left as it is until the loop comes round: a frame of it may just be in the owner's hands
 */
static void cut(struct channel *c, int code, const char *text)
{
	if (c->dead || c->cutting)
		return;
	if (!c->begun) {
		break_up(c, code, text);
		return;
	}
	(void)err_set(&c->why, code, "%s", text);
	c->cutting = true;
	c->up = false;
	loop_remove(c->loop, &c->fd_ref);
	tell(c, on_cut);
}

static void watch(struct channel *c)
{
	bool want;

	if (c->dead || c->cutting || c->fd < 0)
		return;
	want = c->raw_out.len > 0;
	if (want == c->want_write)
		return;
	c->want_write = want;
	loop_set_fd(c->loop, c->fd_ref, EPOLLIN | (want ? EPOLLOUT : 0));
}

/* ------------------------------------------- between the TLS library and the socket */

/* what the socket has into raw_in, which is empty; Return: 0 or -errno. @flags: of recv(2) */
static int fetch(struct channel *c, int flags)
{
	uint8_t *room;
	ssize_t got;

	if (buf_room(&c->raw_in, RAW_IN, &room) < 0)
		return -EAGAIN; /* no memory now */
	got = recv(c->fd, room, RAW_IN, flags);
	c->drained = got < RAW_IN;
	c->ended = got == 0;
	if (got < 0 && errno != EAGAIN)
		return -errno;
	buf_grow(&c->raw_in, got > 0 ? (size_t)got : 0);
	return 0;
}

/* Return: bytes, 0 the end, -1 and errno of the session: gnutls_transport_set_pull_function(3) */
static ssize_t pull(gnutls_transport_ptr_t owner, void *p, size_t n)
{
	struct channel *c = owner;

	if (!c->raw_in.len && !c->drained) {
		int r = fetch(c, MSG_DONTWAIT);

		if (r < 0) {
			gnutls_transport_set_errno(c->tls, -r);
			return -1;
		}
	}
	if (!c->raw_in.len && c->ended)
		return 0;
	if (!c->raw_in.len) {
		gnutls_transport_set_errno(c->tls, EAGAIN);
		return -1;
	}
	n = n < c->raw_in.len ? n : c->raw_in.len;
	memcpy(p, buf_bytes(&c->raw_in), n);
	buf_eat(&c->raw_in, n);
	return (ssize_t)n;
}

static ssize_t push(gnutls_transport_ptr_t owner, const void *p, size_t n)
{
	struct channel *c = owner;

	if (buf_put(&c->raw_out, p, n) == 0)
		return (ssize_t)n;
	gnutls_transport_set_errno(c->tls, ENOMEM);
	return -1;
}

/* Return: 1 nothing is left, 0 the socket is full, -errno */
static int write_raw(struct channel *c)
{
	while (c->raw_out.len) {
		ssize_t n = send(c->fd, buf_bytes(&c->raw_out), c->raw_out.len,
				 MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? 0 : -errno;
		buf_eat(&c->raw_out, (size_t)n);
	}
	return 1;
}

/* as many records as raw_out takes; Return: 0, or an error of the TLS library */
static ssize_t seal(struct channel *c)
{
	while (c->link.out.len && c->raw_out.len + RECORD_MAX <= RAW_OUT) {
		ssize_t n = gnutls_record_send(c->tls, buf_bytes(&c->link.out), c->link.out.len);

		if (n == GNUTLS_E_INTERRUPTED)
			continue;
		if (n < 0)
			return n;
		buf_eat(&c->link.out, (size_t)n);
	}
	return 0;
}

/* Return: 1 all has left, 0 the socket is full, -errno with the reason in *ret_text */
static int pump(struct channel *c, const char **ret_text)
{
	int r;

	do {
		ssize_t n = seal(c);

		if (n < 0) {
			*ret_text = gnutls_strerror((int)n);
			return -EPIPE;
		}
		r = write_raw(c);
	} while (r > 0 && c->link.out.len);
	if (r < 0)
		*ret_text = strerror(-r);
	return r;
}

static void flush(struct channel *c)
{
	bool was_full = c->want_write;
	const char *text;

	if (!c->up || c->dead)
		return;
	if (pump(c, &text) < 0) {
		cut(c, -EPIPE, text);
		return;
	}
	watch(c);
	if (was_full && !c->want_write && c->ops->room)
		c->ops->room(c->owner);
}

static int on_psk(gnutls_session_t s, const char *username, gnutls_datum_t *key)
{
	const struct channel *c = gnutls_session_get_ptr(s);

	if (strcmp(username, USERNAME) != 0)
		return -1;
	key->data = gnutls_malloc(CHANNEL_KEY);
	if (!key->data)
		return -1;
	memcpy(key->data, c->key, CHANNEL_KEY);
	key->size = CHANNEL_KEY;
	return 0;
}

static void deliver(struct channel *c)
{
	size_t backlog = c->link.kept.len;
	bool resuming = c->link.resuming;
	struct err e = { 0 };
	struct move_frame f;
	int r = 0;

	while (!c->dead && (r = move_take(&c->link, &f, &e)) > 0) {
		if (f.type == MOVE_BEAT)
			continue;
		r = c->ops->frame(c->owner, &f, &e);
		if (r < 0)
			break;
	}
	if (c->dead)
		return;
	if (r < 0) {
		break_up(c, r, e.text);
		return;
	}
	flush(c); /* acknowledgements */
	/* after RESUME: who had stopped for a full socket waits for this one */
	if ((c->link.kept.len < backlog || (resuming && !c->link.resuming)) && !c->dead &&
	    c->ops->room)
		c->ops->room(c->owner);
}

static void hear(struct channel *c)
{
	c->heard_ms = loop_now(c->loop);
	if (c->ops->heard)
		c->ops->heard(c->owner);
}

static void take(struct channel *c)
{
	for (int i = 0; c->up && !c->dead; i++) {
		size_t space = move_space(&c->link);
		uint8_t *room;
		ssize_t n;

		/* what was read already is taken: of that epoll does not tell again */
		if (i >= RECORDS_A_TURN)
			c->drained = true;
		space = space < READ_BYTES ? space : READ_BYTES;
		if (!space || buf_room(&c->link.in, space, &room) < 0)
			break; /* no memory now: the bytes stay where they are */
		n = gnutls_record_recv(c->tls, room, space);
		if (n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED)
			break;
		if (n <= 0) {
			deliver(c); /* last words count */
			if (n == 0)
				break_up(c, -EPIPE, "the other side has ended the stream");
			else
				cut(c, -EPIPE, gnutls_strerror((int)n));
			return;
		}
		buf_grow(&c->link.in, (size_t)n);
		hear(c);
		deliver(c);
	}
}

static void shake(struct channel *c)
{
	int r = gnutls_handshake(c->tls), w = write_raw(c);

	if (w < 0) {
		cut(c, -EPIPE, strerror(-w));
		return;
	}
	if (r == GNUTLS_E_SUCCESS) {
		c->up = c->begun = true;
		hear(c);
		flush(c);
		return;
	}
	if (gnutls_error_is_fatal(r))
		cut(c, -EPROTO, gnutls_strerror(r));
	else
		watch(c);
}

static void on_fd(void *owner, uint32_t events)
{
	struct channel *c = owner;

	c->drained = false;
	if (!c->up)
		shake(c);
	if (c->up && !c->dead && (events & EPOLLOUT))
		flush(c);
	if (c->up && !c->dead)
		take(c);
}

static void on_beat(void *owner)
{
	struct channel *c = owner;

	if (!c->up && c->fd >= 0 && loop_now(c->loop) > c->shake_until_ms)
		cut(c, -ETIMEDOUT, "the other side did not finish the handshake");
	if (c->dead)
		return;
	/* full: then there is enough to hear without it */
	if (c->up && move_room(&c->link, 0) && channel_send(c, MOVE_BEAT, NULL, 0, NULL, 0) < 0)
		return;
	if (!c->dead && loop_add_timer(c->loop, loop_now(c->loop) + CHANNEL_BEAT_MS, on_beat, c,
				       &c->beat_ref) < 0)
		break_up(c, -ENOMEM, "no memory for a timer");
}

static int start_tls(struct channel *c, struct err *e)
{
	const gnutls_datum_t key = { c->key, CHANNEL_KEY };
	int r = gnutls_init(&c->tls, (c->client ? GNUTLS_CLIENT : GNUTLS_SERVER) | GNUTLS_NONBLOCK |
					     GNUTLS_NO_TICKETS | GNUTLS_NO_SIGNAL);

	if (r == 0)
		r = gnutls_priority_set_direct(c->tls, PRIORITY, NULL);
	if (r == 0 && c->client) {
		r = gnutls_psk_allocate_client_credentials(&c->client_creds);
		if (r == 0)
			r = gnutls_psk_set_client_credentials(c->client_creds, USERNAME, &key,
							      GNUTLS_PSK_KEY_RAW);
		if (r == 0)
			r = gnutls_credentials_set(c->tls, GNUTLS_CRD_PSK, c->client_creds);
	} else if (r == 0) {
		r = gnutls_psk_allocate_server_credentials(&c->server_creds);
		if (r == 0) {
			gnutls_psk_set_server_credentials_function(c->server_creds, on_psk);
			r = gnutls_credentials_set(c->tls, GNUTLS_CRD_PSK, c->server_creds);
		}
	}
	if (r != 0)
		return err_set(e, -EPROTO, "start a TLS session: %s", gnutls_strerror(r));
	gnutls_session_set_ptr(c->tls, c);
	gnutls_transport_set_ptr(c->tls, c);
	gnutls_transport_set_pull_function(c->tls, pull);
	gnutls_transport_set_push_function(c->tls, push);
	gnutls_handshake_set_timeout(c->tls, GNUTLS_INDEFINITE_TIMEOUT);
	return 0;
}

/* the fd stays the caller's after a failure */
static int open_transport(struct channel *c, int fd, const uint8_t *key, struct err *e)
{
	const struct timeval tick = { .tv_usec = 1 }; /* rounded up to one */
	int on = 1, r;

	memcpy(c->key, key, CHANNEL_KEY);
	c->fd = fd;
	c->shake_until_ms = loop_now(c->loop) + HANDSHAKE_MS;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); /* not of a Unix socket */
	/* one receive may wait, for a moment: channel_await() */
	r = fd_nonblock(fd, 0);
	if (!r && setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tick, sizeof(tick)) < 0)
		r = -errno;
	if (!r)
		r = start_tls(c, e);
	if (!r)
		r = loop_add_fd(c->loop, fd, EPOLLIN | EPOLLOUT, on_fd, c, &c->fd_ref);
	c->want_write = true;
	if (r < 0) {
		c->fd = -1;
		close_transport(c);
	}
	return r;
}

int channel_new(struct loop *l, int fd, bool client, const uint8_t *key,
		const struct channel_ops *ops, void *owner, struct channel **ret, struct err *e)
{
	struct channel *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return err_set(e, -ENOMEM, "no memory for a channel");
	*c = (struct channel){ .loop = l, .fd = -1, .client = client, .ops = ops, .owner = owner };
	move_init(&c->link);
	buf_init(&c->raw_in, RAW_IN);
	buf_init(&c->raw_out, RAW_OUT + RECORD_MAX); /* and a last word */
	c->heard_ms = loop_now(l);
	r = open_transport(c, fd, key, e);
	if (!r)
		r = loop_add_timer(l, loop_now(l) + CHANNEL_BEAT_MS, on_beat, c, &c->beat_ref);
	if (r < 0) {
		loop_remove(l, &c->fd_ref);
		c->fd = -1; /* stays the caller's */
		channel_free(c);
		return err_prefix(e, "open the channel");
	}
	*ret = c;
	return 0;
}

int channel_replace(struct channel *c, int fd, const uint8_t *key, struct err *e)
{
	int r;

	if (c->dead || !c->begun)
		return err_set(e, -EPIPE,
			       "the stream is over, or has not begun: nothing to go on with");
	if (c->fd >= 0) {
		r = move_resume(&c->link);
		if (r < 0)
			return err_set(e, r, "no memory to go on with");
		close_transport(c);
	}
	loop_remove(c->loop, &c->gone_ref); /* it was cut, and nobody had to hear of it yet */
	r = open_transport(c, fd, key, e);
	return r < 0 ? err_prefix(e, "replace the transport") : 0;
}

void channel_free(struct channel *c)
{
	if (!c)
		return;
	if (c->up)
		(void)gnutls_bye(c->tls, GNUTLS_SHUT_WR); /* full: the peer's lease ends it */
	if (c->up)
		(void)write_raw(c); /* the same */
	loop_remove(c->loop, &c->beat_ref);
	loop_remove(c->loop, &c->gone_ref);
	close_transport(c);
	move_done(&c->link);
	buf_done(&c->raw_in);
	buf_done(&c->raw_out);
	free(c);
}

/* a frame was made: it leaves at once, or with others */
static void go(struct channel *c)
{
	if (c->up && !c->want_write && (!c->held || c->link.out.len >= HELD_MAX))
		flush(c);
}

int channel_send(struct channel *c, enum move_type type, const void *p, size_t n, const void *q,
		 size_t m)
{
	int r;

	if (c->dead)
		return -EPIPE;
	r = move_send(&c->link, type, p, n, q, m);
	if (!r)
		go(c);
	return r;
}

int channel_reserve(struct channel *c, size_t n, uint8_t **ret)
{
	return c->dead ? -EPIPE : move_reserve(&c->link, n, ret);
}

int channel_commit(struct channel *c, enum move_type type, size_t n)
{
	int r = move_commit(&c->link, type, n);

	if (!r)
		go(c);
	return r;
}

void channel_keep(struct channel *c, bool on)
{
	move_keep(&c->link, on);
}

void channel_hold(struct channel *c)
{
	c->held = true;
}

void channel_let_go(struct channel *c)
{
	c->held = false;
	if (c->up && !c->want_write)
		flush(c);
}

bool channel_room(const struct channel *c, size_t payload)
{
	return !c->dead && move_room(&c->link, payload);
}

size_t channel_queued(const struct channel *c)
{
	return c->link.out.len + c->raw_out.len;
}

size_t channel_backlog(const struct channel *c)
{
	return c->link.kept.len;
}

uint64_t channel_heard_ms(const struct channel *c)
{
	return c->heard_ms;
}

void channel_await(struct channel *c)
{
	if (!c->up || c->dead || c->want_write || c->raw_in.len || c->ended)
		return;
	/* a failure shows again when the loop comes to it */
	if (fetch(c, 0) == 0 && c->raw_in.len)
		take(c);
}

void channel_flush(struct channel *c, unsigned int ms)
{
	uint64_t end = clock_boot_ms() + ms;
	const char *text;

	while (c->up && !c->dead && pump(c, &text) == 0) {
		struct pollfd p = { .fd = c->fd, .events = POLLOUT };
		uint64_t now = clock_boot_ms();

		if (now >= end || poll(&p, 1, (int)(end - now)) <= 0)
			return;
	}
}
