/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guest_main.c - comosix-guest: hosts one process of another node
 *
 * Started as root by comosixd, or by comosix-deputy --local, with the descriptors of
 * net/half_link.h. It reads Start, builds its box, and reads the stream inside. Outside of the box
 * nothing is left but a process that lends files of the shared root (lend.h) until the guest is built,
 * and then waits for its end.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "config.h"
#include "log/log.h"
#include "migrate/control.h"
#include "migrate/guest.h"
#include "migrate/lease.h"
#include "migrate/lend.h"
#include "migrate/told.h"
#include "os/fd.h"
#include "wire/message.h"

#define LAST_WORDS_MS 1000
#define FILL_DEV      "/dev/userfaultfd" /* Linux 6.1 */
#define LIFE_MS	      1000		 /* outside of the box bears two thirds of the lease */

static const char usage[] =
	"Usage: comosix-guest\n"
	"\n"
	"Hosts one process of another node. It is started by comosixd, with the stream to the\n"
	"process's home in descriptor 3; people use migrate(1).\n"
	"\n"
	"  --help       this text\n"
	"  --version    the version\n"
	"\n"
	"Examples:\n"
	"  comosix nodes            see how many guests each node has\n"
	"  migrate 4711 n2          make process 4711 a guest of node n2\n";

static struct guest guest;
static struct control *control;
static int life; /* box.h */

static const Cmx__HalfStage stages[] = {
	[GUEST_ARRIVING] = CMX__HALF_STAGE__STAGE_CONNECT,
	[GUEST_WAITING] = CMX__HALF_STAGE__STAGE_BUILD,
	[GUEST_RUNNING] = CMX__HALF_STAGE__STAGE_AWAY,
	[GUEST_FREEZING] = CMX__HALF_STAGE__STAGE_RECALL,
	[GUEST_LEAVING] = CMX__HALF_STAGE__STAGE_RECALL,
	[GUEST_LEFT] = CMX__HALF_STAGE__STAGE_RECALL,
};

static void tell_stage(void)
{
	/* while an image is taken it is away all the same */
	Cmx__HalfStage stage = guest.checkpoint ? CMX__HALF_STAGE__STAGE_AWAY : stages[guest.state];

	if (control_stage(control) != stage)
		control_state(control, stage, 0, 0, 0);
}

/* a timer that cannot be set again is an agent that stands still: outside will see to it */
static void on_life(void *owner)
{
	struct guest *g = owner;
	struct ev_ref ref;

	guest_box_live(life);
	told_later(loop_add_timer(g->loop, loop_now(g->loop) + LIFE_MS, on_life, g, &ref));
}

/* the guest's own, and then comosixd is told what has become of it */
static int on_frame(void *owner, const struct move_frame *f, struct err *e)
{
	int r = guest_channel_ops.frame(owner, f, e);

	tell_stage();
	return r;
}

static void on_room(void *owner)
{
	guest_channel_ops.room(owner);
}

static void on_broken(void *owner, const struct err *why)
{
	guest_channel_ops.broken(owner, why);
}

/* comosixd of home gives another transport to both */
static bool on_cut(void *owner, const struct err *why)
{
	if (!control_open(control) || !guest_channel_ops.cut(owner, why))
		return false;
	log_warn("the stream to home was cut: %s; the lease runs", why->text);
	return true;
}

static void on_heard(void *owner)
{
	guest_channel_ops.heard(owner);
}

static const struct channel_ops channel_ops = {
	.frame = on_frame,
	.room = on_room,
	.cut = on_cut,
	.heard = on_heard,
	.broken = on_broken,
};

static void on_transport(void *owner, const uint8_t *key, int fd)
{
	struct guest *g = owner;
	struct err e = { 0 };

	if (channel_replace(g->channel, fd, key, &e) == 0)
		return;
	(void)close(fd);
	log_warn("%s", e.text);
}

static void on_drop(void *owner, const char *text)
{
	char quoted[256];

	(void)owner;
	guest_fail(&guest, -EKEYREVOKED, log_quote(text, quoted, sizeof(quoted)));
}

static const struct control_ops control_ops = { .transport = on_transport, .drop = on_drop };

static int begin(Cmx__HalfStart *start)
{
	uint8_t key[HALF_KEY_LEN];
	struct guest *g = &guest;
	struct ev_ref ref;
	int r = loop_new(&g->loop, &g->why);

	memcpy(key, start->key.data, sizeof(key));
	if (!r)
		r = control_new(g->loop, start, &control_ops, g, &control, &g->why);
	if (!r)
		r = channel_new(g->loop, HALF_FD_STREAM, false, key, &channel_ops, g, &g->channel,
				&g->why);
	explicit_bzero(key, sizeof(key));
	if (!r)
		r = loop_add_signal(g->loop, SIGCHLD, guest_on_child, g, &ref);
	if (!r) {
		guest_lease_start(g, start->lease_ms);
		on_life(g);
	}
	return r;
}

static int serve(Cmx__HalfStart *start, const struct guest_box *box, int fill_dev, int lender)
{
	struct guest *g = &guest;
	int r;

	*g = (struct guest){ .box = box, .notify = -1 };
	pages_reader_init(&g->reader);
	dirty_init(&g->dirty);
	pageset_init(&g->beyond);
	pageset_init(&g->held_back);
	build_init(&g->build);
	g->build.fill_dev = fill_dev;
	late_init(&g->lacks.table);
	image_init(&g->image);
	buf_init(&g->image_bytes, IMAGE_BYTES_MAX);
	guest_files_init(g, lender);
	guest_behind_init(g);
	r = begin(start);
	if (!r) {
		tell_stage();
		guest_ask_clock(g);
		r = loop_run(g->loop);
	}
	if (g->why.code)
		log_warn("%s", g->why.text);
	if (g->channel)
		channel_flush(g->channel, LAST_WORDS_MS);
	if (control)
		control_end(control, r ? 1 : 0, CMX__HALF_FATE__FATE_NONE, false, g->why.text);
	/* as pid 1 of its namespace the agent takes everything with it */
	build_abort(&g->build);
	guest_files_done(g);
	guest_stream_done(g);
	guest_behind_done(g);
	guest_timers_done(g);
	channel_free(g->channel);
	control_free(control);
	return r ? 1 : 0;
}

/* Return: -1 go on, else the exit status */
static int read_options(int argc, char **argv)
{
	static const struct option options[] = {
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1)
		switch (c) {
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
	if (optind == argc && fcntl(HALF_FD_CONTROL, F_GETFD) >= 0)
		return -1;
	(void)fprintf(stderr, "comosix-guest: started by hand? See comosix-guest --help\n");
	return 2;
}

int main(int argc, char **argv)
{
	/* a listening socket is there when comosixd has started it */
	struct guest_box box = { .fds = { STDERR_FILENO, HALF_FD_STREAM, HALF_FD_CONTROL },
				 .n_fds = 3 };
	AUTO_MESSAGE Cmx__HalfStart *start = NULL;
	struct err e = { 0 };
	struct lend lend;
	pid_t init = 0;
	int fill_dev, r = read_options(argc, argv);

	if (r >= 0)
		return r;
	log_open("comosix-guest", LOG_INFO);
	if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
		die("SIGPIPE: %s", strerror(errno));
	r = control_start(&start, &e);
	if (r == -EPIPE)
		return 0; /* it was not told to do anything */
	if (r < 0)
		die("%s", e.text);
	if (start->slot >= GUEST_BOX_SLOTS_MAX)
		die("box %u is beyond the private uids", start->slot);
	if (fcntl(HALF_FD_LISTEN, F_GETFD) >= 0)
		box.fds[box.n_fds++] = HALF_FD_LISTEN;
	/* without it a process can come by pre-copy only */
	fill_dev = open(FILL_DEV, O_RDWR | O_CLOEXEC);
	if (fill_dev >= 0)
		box.fds[box.n_fds++] = fill_dev;
	box.agent_uid = guest_box_agent_uid(start->slot);
	box.home_uid = start->uid;
	box.home_gid = start->gid;
	if (lend_open(&lend, "/", DIGESTS_PATH, &e) < 0)
		die("%s", e.text);
	box.fds[box.n_fds++] = lend.theirs;
	if (guest_box_enter(&box, &init, &life, &e) < 0)
		die("%s", e.text);
	if (init) {
		lend_serve(&lend, lease_guest_ms(start->lease_ms));
		return guest_box_wait(init, life, lease_guest_ms(start->lease_ms));
	}
	return serve(start, &box, fill_dev, lend.theirs);
}
