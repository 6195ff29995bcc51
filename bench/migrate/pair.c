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
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/parse.h"
#include "log/log.h"
#include "migrate/lease.h"
#include "os/rand.h"
#include "tests/halves/pair.h"
#include "wire.h"

static struct loop *loop;
static struct ev_ref orders_ref;

static uint64_t now_us(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t); /* exists everywhere */
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void hear(enum pair_side side, const Cmx__Half *m)
{
	unsigned long long now = now_us();

	switch ((int)m->body_case) {
	case CMX__HALF__BODY_STATE:
		(void)printf("%llu state %s %d %u\n", now, pair_name(side), (int)m->state->stage,
			     m->state->freeze_us);
		return;
	case CMX__HALF__BODY_END:
		(void)printf("%llu end %s %u %d %s\n", now, pair_name(side), m->end->status,
			     (int)m->end->fate, m->end->text);
		return;
	default:
		die("%s said what is not its to say", pair_name(side));
	}
}

static const struct pair_ops pair_ops = { .hear = hear };

static void on_order(void *owner, uint32_t events)
{
	struct err e = { 0 };
	char line[16];
	ssize_t n = read(STDIN_FILENO, line, sizeof(line));

	(void)owner;
	(void)events;
	if (n == 5 && !memcmp(line, "home\n", 5)) {
		if (pair_home(&e) < 0)
			die("%s", e.text);
		return;
	}
	pair_kill();
	loop_remove(loop, &orders_ref);
}

int main(int argc, char **argv)
{
	uint8_t key[HALF_KEY_LEN];
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
	rand_bytes(key, sizeof(key));
	pair_start(loop, &pair_ops,
		   &(struct pair_move){ (pid_t)pid, LEASE_MS, (uint32_t)slot, is_post_copy },
		   stream, key);
	if (loop_add_fd(loop, STDIN_FILENO, EPOLLIN, on_order, NULL, &orders_ref) < 0)
		die("watch stdin: is it a pipe?");
	return loop_run(loop);
}
