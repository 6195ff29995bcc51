/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * move_between.c - both daemons of one move, and the wire between its halves: for tests
 *
 * move_between frames|bytes PID LEASE-MS SLOT [deputy|guest FRAME N]
 *
 * Theory of operation. Starts comosix-deputy and comosix-guest, of COMOSIX_BIN, as two comosixd do,
 * with this program in their stream. With "bytes" it passes what comes and can cut the stream at any
 * byte. With "frames" it has the key, so it ends the TLS session of each half and passes frames, and
 * stops passing when the Nth FRAME of one side has come (N 0: each of them): everything that side did
 * before it has been done, and the other side does not know it. What happens is told on stdout, a line
 * each:
 *
 *	pids DEPUTY GUEST		the second is the process outside of the box
 *	at SIDE FRAME N			it is here; nothing is passed until "go"
 *	state SIDE STAGE		a number of wire/half.proto
 *	want SIDE			it asks for another stream
 *	end SIDE STATUS FATE TEXT
 *	broken SIDE TEXT		its stream has ended
 *	gone SIDE WAIT-STATUS
 *
 * and this can be said on stdin:
 *
 *	go	pass on
 *	home	bring it home
 *	cut	the stream breaks, without a last word
 *	after N	the same, when N more bytes have been passed (bytes)
 *	new	give both halves another stream (bytes)
 *
 * It ends when both halves have ended, or stdin has: then it kills them.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/le.h"
#include "base/parse.h"
#include "log/log.h"
#include "migrate/channel.h"
#include "os/fd.h"
#include "os/rand.h"
#include "tests/halves/pair.h"

#define QUEUE_MAX (1U << 30)
#define READ_MAX  16384
#define FULL	  (1U << 20) /* then nothing is read of the other side */
#define LINE_MAX_ 256
#define FLUSH_MS  5000

static struct side {
	struct ev_ref ref;
	int fd;			 /* our end of its stream; frames: the channel's */
	struct channel *channel; /* frames */
	struct buf out;		 /* for it: bytes, or frames with type and length in front */
	bool closing, abrupt;	 /* when out is empty */
	unsigned int seen;	 /* of the awaited frame */
} sides[PAIR_SIDES] = { { .fd = -1 }, { .fd = -1 } };

static struct loop *loop;
static bool by_frames, held;
static uint64_t cut_after; /* cut_after 0: never */
static const struct side *at_side;
static const char *at_frame;
static uint64_t at_number;
static char line[LINE_MAX_];
static size_t line_len;

static const char *name_of(const struct side *s)
{
	return pair_name(s == &sides[PAIR_DEPUTY] ? PAIR_DEPUTY : PAIR_GUEST);
}

static struct side *other(const struct side *s)
{
	return &sides[s == &sides[0]];
}

static void watch(struct side *s);

/* ------------------------------------------------------------------ frames */

static void close_stream(struct side *s)
{
	if (s->fd < 0)
		return;
	if (s->abrupt)
		(void)shutdown(s->fd, SHUT_RDWR); /* the last word does not get through */
	loop_remove(loop, &s->ref);
	if (s->channel) {
		if (!s->abrupt)
			channel_flush(s->channel, FLUSH_MS);
		channel_free(s->channel);
	} else {
		(void)close(s->fd);
	}
	s->channel = NULL;
	s->fd = -1;
	buf_reset(&s->out);
}

static void pass_frames(struct side *s)
{
	while (!held && s->channel && s->out.len) {
		const uint8_t *p = buf_bytes(&s->out);
		uint32_t type = le32_get(p), len = le32_get(p + 4);

		if (!channel_room(s->channel, len))
			return;
		if (channel_send(s->channel, (enum move_type)type, p + 8, len, NULL, 0) < 0)
			die("%s does not take a %s", name_of(s), move_name(type));
		buf_eat(&s->out, 8 + len);
	}
	if (!held && s->closing)
		close_stream(s);
}

static int on_frame(void *owner, const struct move_frame *f, struct err *e)
{
	struct side *s = owner, *to = other(s);
	uint8_t head[8];

	if (s == at_side && !strcmp(move_name(f->type), at_frame) &&
	    (++s->seen == at_number || !at_number)) {
		held = true;
		(void)printf("at %s %s %u\n", name_of(s), at_frame, s->seen);
	}
	if (to->fd < 0)
		return 0;
	le32_put(head, f->type);
	le32_put(head + 4, f->len);
	if (buf_put(&to->out, head, sizeof(head)) < 0 || buf_put(&to->out, f->payload, f->len) < 0)
		return err_set(e, -ENOMEM, "no memory for a frame");
	pass_frames(to);
	return 0;
}

static void on_room(void *owner)
{
	pass_frames(owner);
}

static bool on_cut(void *owner, const struct err *why)
{
	struct side *s = owner;

	s->abrupt = true;
	return false;
}

static void on_broken(void *owner, const struct err *why)
{
	struct side *s = owner, *to = other(s);

	(void)printf("broken %s %s\n", name_of(s), why->text);
	to->abrupt |= s->abrupt;
	to->closing = true;
	s->abrupt = true;
	close_stream(s);
	pass_frames(to);
}

static const struct channel_ops channel_ops = {
	.frame = on_frame,
	.room = on_room,
	.cut = on_cut,
	.broken = on_broken,
};

/* ------------------------------------------------------------------- bytes */

static void cut(void)
{
	for (int i = 0; i < 2; i++) {
		sides[i].abrupt = true;
		close_stream(&sides[i]);
	}
	(void)printf("cut\n");
}

static void end_of(struct side *s)
{
	struct side *to = other(s);

	(void)printf("broken %s\n", name_of(s));
	close_stream(s);
	to->closing = true;
	if (!to->out.len)
		close_stream(to);
}

/* as much as its socket takes */
static void flush(struct side *s)
{
	ssize_t n = send(s->fd, buf_bytes(&s->out), s->out.len, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n > 0)
		buf_eat(&s->out, (size_t)n);
}

static void on_stream(void *owner, uint32_t events)
{
	struct side *s = owner, *to = other(s);
	uint8_t bytes[READ_MAX];
	ssize_t n;

	if ((events & EPOLLOUT) && s->out.len) {
		flush(s);
		if (!s->out.len && s->closing) {
			close_stream(s);
			return;
		}
	}
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
		size_t want = cut_after && cut_after < sizeof(bytes) ? cut_after : sizeof(bytes);

		n = recv(s->fd, bytes, want, MSG_DONTWAIT);
		if (n == 0 || (n < 0 && errno != EAGAIN)) {
			end_of(s);
			return;
		}
		if (n > 0 && to->fd >= 0 && buf_put(&to->out, bytes, (size_t)n) < 0)
			die("no memory for bytes");
		if (n > 0 && to->fd >= 0 && cut_after) {
			flush(to); /* what came before it arrives, as far as there is room */
			cut_after -= (uint64_t)n;
			if (!cut_after) {
				cut();
				return;
			}
		}
	}
	watch(s);
	watch(to);
}

static void watch(struct side *s)
{
	if (s->fd >= 0 && !s->channel)
		loop_set_fd(loop, s->ref,
			    (other(s)->out.len < FULL ? EPOLLIN : 0) | (s->out.len ? EPOLLOUT : 0));
}

/* ------------------------------------------------------------------- halves */

static void hear(enum pair_side side, const Cmx__Half *m)
{
	switch ((int)m->body_case) {
	case CMX__HALF__BODY_STATE:
		(void)printf("state %s %d\n", pair_name(side), (int)m->state->stage);
		return;
	case CMX__HALF__BODY_END:
		(void)printf("end %s %u %d %s\n", pair_name(side), m->end->status,
			     (int)m->end->fate, m->end->text);
		return;
	case CMX__HALF__BODY_WANT_TRANSPORT:
		(void)printf("want %s\n", pair_name(side));
		return;
	default:
		die("%s said what is not its to say", pair_name(side));
	}
}

static void gone(enum pair_side side, int status)
{
	(void)printf("gone %s %d\n", pair_name(side), status);
}

static const struct pair_ops pair_ops = { .hear = hear, .gone = gone };

static void say(enum pair_side side, const Cmx__Half *m, int fd)
{
	struct err e = { 0 };

	if (pair_say(side, m, fd, &e) < 0)
		(void)printf("deaf %s %s\n", pair_name(side), e.text);
}

/* both ends of a stream; our one is watched */
static int open_stream(struct side *s, const uint8_t *key)
{
	struct err e = { 0 };
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		die("socketpair: %s", strerror(errno));
	s->fd = pair[0];
	s->closing = s->abrupt = false;
	if (by_frames && channel_new(loop, s->fd, s == &sides[PAIR_GUEST], key, &channel_ops, s,
				     &s->channel, &e) < 0)
		die("%s", e.text);
	if (!by_frames && loop_add_fd(loop, s->fd, EPOLLIN, on_stream, s, &s->ref) < 0)
		die("watch a stream");
	return pair[1];
}

/* ----------------------------------------------------------------- orders */

static void new_streams(void)
{
	Cmx__HalfTransport t = CMX__HALF_TRANSPORT__INIT;
	Cmx__Half m = CMX__HALF__INIT;
	uint8_t key[HALF_KEY_LEN];

	rand_bytes(key, sizeof(key));
	t.key = (ProtobufCBinaryData){ .data = key, .len = sizeof(key) };
	m.body_case = CMX__HALF__BODY_TRANSPORT;
	m.transport = &t;
	for (int i = 0; i < PAIR_SIDES; i++) {
		int fd = open_stream(&sides[i], key);

		say((enum pair_side)i, &m, fd);
		(void)close(fd);
	}
}

static void obey(const char *order)
{
	struct err e = { 0 };

	if (!strcmp(order, "go")) {
		held = false;
		pass_frames(&sides[0]);
		pass_frames(&sides[1]);
	} else if (!strcmp(order, "home")) {
		if (pair_home(&e) < 0)
			(void)printf("deaf deputy %s\n", e.text);
	} else if (!strcmp(order, "cut")) {
		cut();
	} else if (!strncmp(order, "after ", 6)) {
		if (parse_u64(order + 6, &cut_after) < 0)
			die("after what?");
	} else if (!strcmp(order, "new") && !by_frames) {
		new_streams();
	} else {
		die("what is '%s'?", order);
	}
}

static void on_order(void *owner, uint32_t events)
{
	ssize_t n = read(STDIN_FILENO, line + line_len, 1);

	if (n <= 0) {
		pair_kill();
		loop_stop(loop, 1);
		return;
	}
	if (line[line_len] != '\n') {
		if (++line_len == sizeof(line))
			die("an order is too long");
		return;
	}
	line[line_len] = '\0';
	line_len = 0;
	obey(line);
}

int main(int argc, char **argv)
{
	uint64_t target, lease_ms, slot;
	uint8_t key[HALF_KEY_LEN];
	int streams[PAIR_SIDES];
	struct err e = { 0 };
	struct ev_ref ref;

	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
		die("SIGPIPE");
	if ((argc != 5 && argc != 8) || parse_u64(argv[2], &target) < 0 ||
	    parse_u64(argv[3], &lease_ms) < 0 || parse_u64(argv[4], &slot) < 0)
		return 2;
	by_frames = !strcmp(argv[1], "frames");
	if (argc == 8) {
		at_side = &sides[strcmp(argv[5], "guest") == 0];
		at_frame = argv[6];
		if (parse_u64(argv[7], &at_number) < 0)
			return 2;
	}
	if (loop_new(&loop, &e) < 0)
		die("%s", e.text);
	rand_bytes(key, sizeof(key));
	for (int i = 0; i < PAIR_SIDES; i++) {
		buf_init(&sides[i].out, QUEUE_MAX);
		streams[i] = open_stream(&sides[i], key);
	}
	pair_start(loop, &pair_ops,
		   &(struct pair_move){ (pid_t)target, (uint32_t)lease_ms, (uint32_t)slot,
					getenv("MOVE_POST_COPY") != NULL },
		   streams, key);
	if (loop_add_fd(loop, STDIN_FILENO, EPOLLIN, on_order, NULL, &ref) < 0)
		die("watch stdin: is it a pipe?");
	(void)printf("pids %d %d\n", (int)pair_pid(PAIR_DEPUTY), (int)pair_pid(PAIR_GUEST));
	return loop_run(loop);
}
