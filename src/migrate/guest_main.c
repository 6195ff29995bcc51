/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guest_main.c - comosix-guest: hosts one process of another node
 *
 * Started by comosixd, or by comosix-deputy --local, as root, with the stream in fd 3 and in fd 4
 * what it must know (guest_start.h). It builds its box first and reads the stream inside.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "config.h"
#include "log/log.h"
#include "migrate/guest.h"
#include "migrate/guest_start.h"
#include "os/fd.h"

static const char usage[] =
	"Usage: comosix-guest --slot N\n"
	"\n"
	"Hosts one process of another node. It is started by comosixd, with the stream to the\n"
	"process's home in descriptor 3; people use migrate(1).\n"
	"\n"
	"  --slot N     number of its box: which private uids it has\n"
	"  --help       this text\n"
	"  --version    the version\n"
	"\n"
	"Examples:\n"
	"  comosix nodes            see how many guests each node has\n"
	"  migrate 4711 n2          make process 4711 a guest of node n2\n";

static void on_lease(void *owner)
{
	struct guest *g = owner;
	uint64_t end = channel_heard_ms(g->channel) + GUEST_LEASE_MS;
	struct ev_ref ref;

	if (loop_now(g->loop) >= end)
		guest_fail(g, -ETIMEDOUT, "nothing was heard of home: the lease is over");
	else if (loop_add_timer(g->loop, end, on_lease, g, &ref) < 0)
		guest_fail(g, -ENOMEM, "no memory for a timer");
}

static int serve(const struct guest_start *s, const struct guest_box *box)
{
	static struct guest g;
	struct ev_ref ref;
	int r;

	g = (struct guest){ .box = box, .notify = -1 };
	pages_reader_init(&g.reader);
	dirty_init(&g.dirty);
	build_init(&g.build);
	image_init(&g.image);
	buf_init(&g.image_bytes, IMAGE_BYTES_MAX);
	r = loop_new(&g.loop, &g.why);
	if (!r)
		r = channel_new(g.loop, GUEST_STREAM_FD, false, s->key, &guest_channel_ops, &g,
				&g.channel, &g.why);
	if (!r)
		r = loop_add_signal(g.loop, SIGCHLD, guest_on_child, &g, &ref);
	if (!r)
		r = loop_add_timer(g.loop, loop_now(g.loop) + GUEST_LEASE_MS, on_lease, &g, &ref);
	if (!r) {
		guest_ask_clock(&g);
		r = loop_run(g.loop);
	}
	if (g.why.code)
		log_warn("%s", g.why.text);
	if (g.channel)
		channel_flush(g.channel, GUEST_LAST_WORDS_MS);
	/* as pid 1 of its namespace the agent takes everything with it */
	build_abort(&g.build);
	channel_free(g.channel);
	return r == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "slot", required_argument, NULL, 's' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ 0 },
	};
	struct guest_box box = { .fds = { STDERR_FILENO, GUEST_STREAM_FD }, .n_fds = 2 };
	struct guest_start start;
	struct err e = { 0 };
	pid_t init = 0;
	int c;

	log_open("comosix-guest", LOG_INFO);
	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1)
		switch (c) {
		case 's':
			box.agent_uid = guest_box_agent_uid((uint32_t)strtoul(optarg, NULL, 10));
			break;
		case 'h':
			(void)fputs(usage, stdout);
			return 0;
		case 'V':
			(void)printf("comosix-guest %s\n", COMOSIX_VERSION);
			return 0;
		default:
			(void)fprintf(stderr, "see comosix-guest --help\n");
			return 2;
		}
	if (!box.agent_uid || optind != argc) {
		(void)fprintf(stderr, "comosix-guest: started by hand? See comosix-guest --help\n");
		return 2;
	}
	if (guest_start_read(GUEST_START_FD, &start, &e) < 0)
		die("%s", e.text);
	box.home_uid = start.uid;
	box.home_gid = start.gid;
	if (guest_box_enter(&box, &init, &e) < 0)
		die("%s", e.text);
	if (init)
		return guest_box_wait(init);
	return serve(&start, &box);
}
