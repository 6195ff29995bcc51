/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/halves/pair.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "log/log.h"
#include "os/spawn.h"
#include "tracee/maps.h"
#include "wire/message.h"

static struct half {
	const char *const name, *const program;
	pid_t pid;
	struct half_link link;
	struct ev_ref ref;
} halves[PAIR_SIDES] = {
	[PAIR_DEPUTY] = { .name = "deputy", .program = "comosix-deputy" },
	[PAIR_GUEST] = { .name = "guest", .program = "comosix-guest" },
};

static struct loop *loop;
static const struct pair_ops *ops;

static enum pair_side side_of(const struct half *h)
{
	return h == &halves[PAIR_DEPUTY] ? PAIR_DEPUTY : PAIR_GUEST;
}

const char *pair_name(enum pair_side side)
{
	return halves[side].name;
}

pid_t pair_pid(enum pair_side side)
{
	return halves[side].pid;
}

static void on_link(void *owner, uint32_t events)
{
	struct half *h = owner;
	struct err e = { 0 };
	Cmx__Half *m;
	int r;

	(void)events;
	while ((r = half_link_fill(&h->link, &e)) == 1)
		;
	while (half_link_take(&h->link, &m, &e) == 1) {
		ops->hear(side_of(h), m);
		message_free(&m);
	}
	if (r < 0) {
		loop_remove(loop, &h->ref);
		half_link_done(&h->link);
	}
}

static void on_end(void *owner, pid_t pid, int status)
{
	struct half *h = owner;

	(void)pid;
	on_link(h, 0);
	h->pid = 0;
	if (ops->gone)
		ops->gone(side_of(h), status);
	if (!halves[PAIR_DEPUTY].pid && !halves[PAIR_GUEST].pid)
		loop_stop(loop, 0);
}

static void start_program(struct half *h, int stream)
{
	const char *argv[] = { h->program, NULL }, *dir = getenv("COMOSIX_BIN");
	struct err e = { 0 };
	char program[4096];
	struct ev_ref ref;
	int control[2];

	if (!dir)
		die("COMOSIX_BIN is not set: where are deputy and guest?");
	(void)snprintf(program, sizeof(program), "%s/%s", dir, h->program);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, control) < 0)
		die("socketpair: %s", strerror(errno));

	const int more[] = { stream, control[1] };
	const struct spawn sp = { .path = program,
				  .argv = argv,
				  .fds = { -1, -1, STDERR_FILENO },
				  .more_fds = more,
				  .n_more_fds = 2 };

	if (spawn_program(&sp, &h->pid, &e) < 0)
		die("%s", e.text);
	(void)close(stream);
	(void)close(control[1]);
	if (half_link_init(&h->link, control[0]) < 0 ||
	    loop_add_fd(loop, control[0], EPOLLIN, on_link, h, &h->ref) < 0 ||
	    loop_add_child(loop, h->pid, on_end, h, &ref) < 0)
		die("watch %s", h->name);
}

void pair_start(struct loop *l, const struct pair_ops *with, const struct pair_move *move,
		const int stream[PAIR_SIDES], const uint8_t *key)
{
	static uint8_t id[HALF_ID_LEN];
	Cmx__HalfStart start = CMX__HALF_START__INIT;
	Cmx__Half m = CMX__HALF__INIT;
	struct proc_stat st;
	struct err e = { 0 };

	loop = l;
	ops = with;
	if (proc_stat_read(move->pid, &st, &e) < 0)
		die("%s", e.text);
	start.key = (ProtobufCBinaryData){ .data = (uint8_t *)(uintptr_t)key, .len = HALF_KEY_LEN };
	start.move_id = (ProtobufCBinaryData){ .data = id, .len = sizeof(id) };
	start.pid = (uint32_t)move->pid;
	start.uid = st.uid[0];
	start.gid = st.gid[0];
	start.lease_ms = move->lease_ms;
	start.slot = move->slot;
	start.post_copy = move->post_copy;
	m.body_case = CMX__HALF__BODY_START;
	m.start = &start;
	for (int i = 0; i < PAIR_SIDES; i++) {
		start_program(&halves[i], stream[i]);
		if (pair_say((enum pair_side)i, &m, -1, &e) < 0)
			die("%s: %s", halves[i].name, e.text);
	}
}

int pair_say(enum pair_side side, const Cmx__Half *m, int fd, struct err *e)
{
	struct half *h = &halves[side];

	return h->link.fd < 0 ? 0 : half_link_send(&h->link, m, fd, e);
}

int pair_home(struct err *e)
{
	Cmx__HalfHome home = CMX__HALF_HOME__INIT;
	Cmx__Half m = CMX__HALF__INIT;

	m.body_case = CMX__HALF__BODY_HOME;
	m.home = &home;
	return pair_say(PAIR_DEPUTY, &m, -1, e);
}

void pair_kill(void)
{
	for (int i = 0; i < PAIR_SIDES; i++)
		if (halves[i].pid)
			(void)kill(halves[i].pid, SIGKILL); /* it may just have ended */
}
