/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pair.c - both daemons of a move, with a TCP connection between its halves
 *
 * bench-pair PID HOME-NS HOST-NS ADDRESS SLOT [post-copy]
 *
 * Theory of operation. Starts comosix-deputy and comosix-guest, of COMOSIX_BIN, as two comosixd do: they
 * get the ends of one connection and are alone with it. What they say is told on stdout, a line
 * each, with the time of CLOCK_MONOTONIC in us in front:
 *
 *	TIME state SIDE STAGE FREEZE-US		a number of wire/half.proto
 *	TIME end SIDE STATUS FATE TEXT
 *
 * "home" on stdin brings the process home. It ends when both halves have ended, or stdin has: then
 * it kills them.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/parse.h"
#include "log/log.h"
#include "loop/loop.h"
#include "migrate/lease.h"
#include "net/half_link.h"
#include "os/rand.h"
#include "os/spawn.h"
#include "tracee/maps.h"
#include "wire.h"
#include "wire/message.h"

static struct side {
	const char *name, *program;
	pid_t pid;
	struct half_link link;
	struct ev_ref ref;
} sides[2] = {
	{ .name = "deputy", .program = "comosix-deputy" },
	{ .name = "guest", .program = "comosix-guest" },
};

static struct loop *loop;
static struct ev_ref orders_ref;

static uint64_t now_us(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t); /* exists everywhere */
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void hear(const struct side *s, const Cmx__Half *m)
{
	unsigned long long now = now_us();

	switch ((int)m->body_case) {
	case CMX__HALF__BODY_STATE:
		(void)printf("%llu state %s %d %u\n", now, s->name, (int)m->state->stage,
			     m->state->freeze_us);
		return;
	case CMX__HALF__BODY_END:
		(void)printf("%llu end %s %u %d %s\n", now, s->name, m->end->status,
			     (int)m->end->fate, m->end->text);
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

	(void)events;
	while ((r = half_link_fill(&s->link, &e)) == 1)
		;
	while (half_link_take(&s->link, &m, &e) == 1) {
		hear(s, m);
		message_free(&m);
	}
	if (r < 0) {
		loop_remove(loop, &s->ref);
		half_link_done(&s->link);
	}
}

static void on_end(void *owner, pid_t pid, int status)
{
	struct side *s = owner;

	(void)pid;
	(void)status;
	on_link(s, 0);
	s->pid = 0;
	if (!sides[0].pid && !sides[1].pid)
		loop_stop(loop, 0);
}

static void say(struct side *s, const Cmx__Half *m)
{
	struct err e = { 0 };

	if (half_link_send(&s->link, m, -1, &e) < 0)
		die("%s: %s", s->name, e.text);
}

static int start_program(struct side *s, int stream, struct err *e)
{
	const char *argv[] = { s->program, NULL };
	char program[4096];
	struct ev_ref ref;
	int control[2], r;

	(void)snprintf(program, sizeof(program), "%s/%s", getenv("COMOSIX_BIN"), s->program);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, control) < 0)
		return err_set(e, -errno, "socketpair: %s", strerror(errno));

	const int more[] = { stream, control[1] };
	const struct spawn sp = { .path = program,
				  .argv = argv,
				  .fds = { -1, -1, STDERR_FILENO },
				  .more_fds = more,
				  .n_more_fds = 2 };

	r = spawn_program(&sp, &s->pid, e);
	(void)close(stream);
	(void)close(control[1]);
	if (!r)
		r = half_link_init(&s->link, control[0]);
	if (!r)
		r = loop_add_fd(loop, control[0], EPOLLIN, on_link, s, &s->ref);
	return r < 0 ? r : loop_add_child(loop, s->pid, on_end, s, &ref);
}

static void start(int stream[2], pid_t pid, uint32_t slot, bool post_copy)
{
	static uint8_t id[HALF_ID_LEN], key[HALF_KEY_LEN];
	Cmx__HalfStart start = CMX__HALF_START__INIT;
	Cmx__Half m = CMX__HALF__INIT;
	struct err e = { 0 };
	struct proc_stat st;
	int r = proc_stat_read(pid, &st, &e);

	rand_bytes(key, sizeof(key));
	for (int i = 0; !r && i < 2; i++)
		r = start_program(&sides[i], stream[i], &e);
	if (r < 0)
		die("%s", e.code ? e.text : strerror(-r));
	start.key = (ProtobufCBinaryData){ .data = key, .len = sizeof(key) };
	start.move_id = (ProtobufCBinaryData){ .data = id, .len = sizeof(id) };
	start.pid = (uint32_t)pid;
	start.uid = st.uid[0];
	start.gid = st.gid[0];
	start.lease_ms = LEASE_MS;
	start.slot = slot;
	start.post_copy = post_copy;
	m.body_case = CMX__HALF__BODY_START;
	m.start = &start;
	for (int i = 0; i < 2; i++)
		say(&sides[i], &m);
}

static void on_order(void *owner, uint32_t events)
{
	Cmx__HalfHome home = CMX__HALF_HOME__INIT;
	Cmx__Half m = CMX__HALF__INIT;
	char line[16];
	ssize_t n = read(STDIN_FILENO, line, sizeof(line));

	(void)owner;
	(void)events;
	m.body_case = CMX__HALF__BODY_HOME;
	m.home = &home;
	if (n == 5 && !memcmp(line, "home\n", 5)) {
		say(&sides[0], &m);
		return;
	}
	for (int i = 0; i < 2; i++)
		if (sides[i].pid)
			(void)kill(sides[i].pid, SIGKILL);
	loop_remove(loop, &orders_ref);
}

int main(int argc, char **argv)
{
	struct err e = { 0 };
	uint64_t pid, slot;
	int stream[2];
	bool is_post_copy = argc == 7 && !strcmp(argv[6], "post-copy");

	(void)setvbuf(stdout, NULL, _IOLBF, 0); /* cannot fail before the first use */
	if ((argc != 6 && !is_post_copy) || parse_u64(argv[1], &pid) < 0 ||
	    parse_u64(argv[5], &slot) < 0)
		return 2;
	if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
		die("SIGPIPE: %s", strerror(errno));
	if (wire_open(argv[2], argv[3], argv[4], stream, &e) < 0 || loop_new(&loop, &e) < 0)
		die("%s", e.text);
	start(stream, (pid_t)pid, (uint32_t)slot, is_post_copy);
	if (loop_add_fd(loop, STDIN_FILENO, EPOLLIN, on_order, NULL, &orders_ref) < 0)
		die("watch stdin: is it a pipe?");
	return loop_run(loop);
}
