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
#include "net/half_link.h"
#include "os/fd.h"
#include "os/rand.h"
#include "os/spawn.h"
#include "tracee/maps.h"
#include "wire/message.h"

#define QUEUE_MAX (1U << 30)
#define READ_MAX  16384
#define FULL	  (1U << 20) /* then nothing is read of the other side */
#define LINE_MAX_ 256
#define FLUSH_MS  5000

static struct side {
	const char *name, *program;
	pid_t pid;
	struct half_link link;
	struct ev_ref link_ref, ref;
	int fd;			 /* our end of its stream; frames: the channel's */
	struct channel *channel; /* frames */
	struct buf out;		 /* for it: bytes, or frames with type and length in front */
	bool closing, abrupt;	 /* when out is empty */
	unsigned int seen;	 /* of the awaited frame */
} sides[2] = {
	{ .name = "deputy", .program = "comosix-deputy", .fd = -1 },
	{ .name = "guest", .program = "comosix-guest", .fd = -1 },
};

static struct loop *loop;
static bool by_frames, held;
static uint64_t lease_ms, slot, target, cut_after; /* cut_after 0: never */
static const struct side *at_side;
static const char *at_frame;
static uint64_t at_number;
static char line[LINE_MAX_];
static size_t line_len;

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
			die("%s does not take a %s", s->name, move_name(type));
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
		(void)printf("at %s %s %u\n", s->name, at_frame, s->seen);
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

	(void)printf("broken %s %s\n", s->name, why->text);
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

	(void)printf("broken %s\n", s->name);
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

static void hear(struct side *s, const Cmx__Half *m)
{
	switch ((int)m->body_case) {
	case CMX__HALF__BODY_STATE:
		(void)printf("state %s %d\n", s->name, (int)m->state->stage);
		return;
	case CMX__HALF__BODY_END:
		(void)printf("end %s %u %d %s\n", s->name, m->end->status, (int)m->end->fate,
			     m->end->text);
		return;
	case CMX__HALF__BODY_WANT_TRANSPORT:
		(void)printf("want %s\n", s->name);
		return;
	default:
		die("%s said what is not its to say", s->name);
	}
}

static void on_link(void *owner, uint32_t events)
{
	struct side *s = owner;
	struct err e = { 0 };
	Cmx__Half *m;
	int r;

	while ((r = half_link_fill(&s->link, &e)) == 1)
		;
	while (half_link_take(&s->link, &m, &e) == 1) {
		hear(s, m);
		message_free(&m);
	}
	if (r < 0) {
		loop_remove(loop, &s->link_ref);
		half_link_done(&s->link);
	}
}

static void on_end(void *owner, pid_t pid, int status)
{
	struct side *s = owner;

	on_link(s, 0);
	(void)printf("gone %s %d\n", s->name, status);
	s->pid = 0;
	if (!other(s)->pid)
		loop_stop(loop, 0);
}

static void say(struct side *s, Cmx__Half *m, int fd)
{
	struct err e = { 0 };

	if (s->link.fd >= 0 && half_link_send(&s->link, m, fd, &e) < 0)
		(void)printf("deaf %s %s\n", s->name, e.text);
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
	if (by_frames &&
	    channel_new(loop, s->fd, s == &sides[1], key, &channel_ops, s, &s->channel, &e) < 0)
		die("%s", e.text);
	if (!by_frames && loop_add_fd(loop, s->fd, EPOLLIN, on_stream, s, &s->ref) < 0)
		die("watch a stream");
	return pair[1];
}

static void start(struct side *s, const uint8_t *key)
{
	const char *argv[] = { s->program, NULL };
	static uint8_t id[HALF_ID_LEN];
	Cmx__HalfStart start = CMX__HALF_START__INIT;
	Cmx__Half m = CMX__HALF__INIT;
	struct proc_stat st;
	struct err e = { 0 };
	char program[4096];
	struct ev_ref ref;
	int control[2], stream;

	(void)snprintf(program, sizeof(program), "%s/%s", getenv("COMOSIX_BIN"), s->program);
	if (proc_stat_read((pid_t)target, &st, &e) < 0)
		die("%s", e.text);
	stream = open_stream(s, key);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, control) < 0)
		die("socketpair: %s", strerror(errno));

	const int more[] = { stream, control[1] };
	const struct spawn sp = { .path = program,
				  .argv = argv,
				  .fds = { -1, -1, STDERR_FILENO },
				  .more_fds = more,
				  .n_more_fds = 2 };

	if (spawn_program(&sp, &s->pid, &e) < 0)
		die("%s", e.text);
	(void)close(stream);
	(void)close(control[1]);
	if (half_link_init(&s->link, control[0]) < 0 ||
	    loop_add_fd(loop, control[0], EPOLLIN, on_link, s, &s->link_ref) < 0 ||
	    loop_add_child(loop, s->pid, on_end, s, &ref) < 0)
		die("watch %s", s->name);
	start.key = (ProtobufCBinaryData){ .data = (uint8_t *)key, .len = HALF_KEY_LEN };
	start.move_id = (ProtobufCBinaryData){ .data = id, .len = sizeof(id) };
	start.pid = (uint32_t)target;
	start.uid = st.uid[0];
	start.gid = st.gid[0];
	start.lease_ms = (uint32_t)lease_ms;
	start.slot = (uint32_t)slot;
	start.post_copy = getenv("MOVE_POST_COPY") != NULL;
	m.body_case = CMX__HALF__BODY_START;
	m.start = &start;
	say(s, &m, -1);
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
	for (int i = 0; i < 2; i++) {
		int fd = open_stream(&sides[i], key);

		say(&sides[i], &m, fd);
		(void)close(fd);
	}
}

static void obey(const char *order)
{
	Cmx__HalfHome home = CMX__HALF_HOME__INIT;
	Cmx__Half m = CMX__HALF__INIT;

	if (!strcmp(order, "go")) {
		held = false;
		pass_frames(&sides[0]);
		pass_frames(&sides[1]);
	} else if (!strcmp(order, "home")) {
		m.body_case = CMX__HALF__BODY_HOME;
		m.home = &home;
		say(&sides[0], &m, -1);
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
		for (int i = 0; i < 2; i++)
			if (sides[i].pid)
				(void)kill(sides[i].pid, SIGKILL);
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
	uint8_t key[HALF_KEY_LEN];
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
	for (int i = 0; i < 2; i++) {
		buf_init(&sides[i].out, QUEUE_MAX);
		start(&sides[i], key);
	}
	if (loop_add_fd(loop, STDIN_FILENO, EPOLLIN, on_order, NULL, &ref) < 0)
		die("watch stdin: is it a pipe?");
	(void)printf("pids %d %d\n", (int)sides[0].pid, (int)sides[1].pid);
	return loop_run(loop);
}
