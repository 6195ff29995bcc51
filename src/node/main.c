/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * main.c - comosixd: the node daemon
 *
 * Builds the parts in the order in which they need each other and runs the loop until SIGTERM or
 * SIGINT, which says good-bye to the cluster. SIGHUP loads a new certificate.
 */
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <sys/resource.h>

#include "config.h"
#include "log/log.h"
#include "loop/loop.h"
#include "net/tls.h"
#include "node/bulletin.h"
#include "node/commands.h"
#include "node/directory.h"
#include "node/expel.h"
#include "node/inbound.h"
#include "node/jobs.h"
#include "node/membership.h"
#include "node/moves.h"
#include "node/node.h"
#include "node/pairs.h"
#include "node/relay.h"
#include "node/renewal.h"
#include "node/revoked.h"
#include "node/statedir.h"
#include "node/streams.h"
#include "os/clock.h"

#define TRIM_MS	 30000 /* memory of streams that are over is given back this often */
#define FDS_MAX	 65536
#define LEAVE_MS 100 /* for the good-bye to go out */

static struct node node;
static struct ev_ref trim, leaving;

static void on_left(void *owner)
{
	loop_stop(node.loop, 0);
}

static void on_signal(void *owner, int signo)
{
	if (signo == SIGHUP) {
		renewal_reload(node.renewal);
		return;
	}
	log_info("leaving the cluster");
	if (leaving.slot)
		loop_stop(node.loop, 0); /* asked twice */
	membership_leave(node.membership);
	/* what goes through a CONTROL stream needs a turn or two */
	if (loop_add_timer(node.loop, loop_now(node.loop) + LEAVE_MS, on_left, NULL, &leaving) < 0)
		loop_stop(node.loop, 0);
}

static void on_trim(void *owner)
{
	(void)malloc_trim(0); /* 0 means that there was nothing to give back */
	(void)!loop_add_timer(node.loop, loop_now(node.loop) + TRIM_MS, on_trim, NULL, &trim);
}

static int watch_signals(struct err *e)
{
	static const int signals[] = { SIGHUP, SIGTERM, SIGINT };
	struct ev_ref ref; /* for the life of the program */

	for (size_t i = 0; i < ARRAY_LEN(signals); i++) {
		int r = loop_add_signal(node.loop, signals[i], on_signal, NULL, &ref);

		if (r < 0)
			return err_set(e, r, "signals: %s", strerror(-r));
	}
	if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
		return err_set(e, -errno, "SIGPIPE: %s", strerror(errno));
	return 0;
}

static int out_of_memory(int r, struct err *e)
{
	return r < 0 ? err_set(e, r, "%s", strerror(-r)) : 0;
}

/* the parts look into each other only from the loop, so their order is that of construction */
static int build(struct err *e)
{
	int r = tls_creds_load(node.set.state, &node.creds, e);

	if (r < 0)
		return err_prefix(e, "%s: this node has not joined a cluster (comosix join)",
				  node.set.state);
	node.self = *tls_creds_self(node.creds);
	if (node.self.role == ROLE_OPERATOR)
		return err_set(e, -EINVAL, "%s holds an operator's certificate", node.set.state);
	r = revoked_open(node.set.state, node.self.cluster, &node.revoked, e);
	if (!r)
		r = out_of_memory(directory_new(&node.directory), e);
	if (!r)
		r = statedir_peers(node.set.state, node.directory, e);
	if (!r)
		r = out_of_memory(bulletin_new(&node, &node.bulletin), e);
	if (!r)
		r = out_of_memory(pairs_new(&node, &node.pairs), e);
	if (!r)
		r = out_of_memory(relay_new(&node, &node.relay), e);
	if (!r)
		r = streams_new(&node, &node.streams, e);
	if (!r)
		r = membership_open(&node, &node.membership, e);
	if (!r)
		r = jobs_new(&node, &node.jobs, e);
	if (!r)
		r = moves_open(&node, &node.moves, e);
	if (!r)
		r = inbound_open(&node, &node.inbound, e);
	if (!r)
		r = commands_open(&node, &node.commands, e);
	if (!r)
		r = renewal_new(&node, &node.renewal, e);
	if (!r)
		r = watch_signals(e);
	return r;
}

static void tear_down(void)
{
	loop_remove(node.loop, &trim);
	loop_remove(node.loop, &leaving);
	renewal_free(node.renewal);
	commands_close(node.commands);
	inbound_close(node.inbound);
	moves_close(node.moves);
	jobs_free(node.jobs);
	streams_free(node.streams);
	pairs_free(node.pairs);
	relay_free(node.relay);
	membership_close(node.membership);
	bulletin_free(node.bulletin);
	directory_free(node.directory);
	revoked_close(node.revoked);
	tls_creds_unref(node.creds);
	loop_free(node.loop);
}

/* a node with many peers needs more than the 1,024 that shells give */
static void raise_fd_limit(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) < 0)
		return;
	l.rlim_cur = l.rlim_max < FDS_MAX ? l.rlim_max : FDS_MAX;
	if (setrlimit(RLIMIT_NOFILE, &l) < 0)
		log_debug("the limit of open files stays: %s", strerror(errno));
}

int main(int argc, char **argv)
{
	struct err e;
	int r;

	/* one thread, few and small objects: one arena, and memory goes back early */
	(void)mallopt(M_ARENA_MAX, 1);
	(void)mallopt(M_TRIM_THRESHOLD, 65536);
	(void)mallopt(M_MMAP_THRESHOLD, 65536);
	if (argc == 2 && !strcmp(argv[1], "--version")) {
		(void)printf("comosixd %s\n", COMOSIX_VERSION);
		return 0;
	}
	r = settings_read(argc, argv, &node.set, &e);
	if (r == -ECANCELED)
		return 0;
	if (r < 0) {
		(void)fprintf(stderr, "comosixd: %s\n", e.text);
		return 2;
	}
	log_open("comosixd", node.set.verbose ? LOG_DEBUG : LOG_INFO);
	raise_fd_limit();
	if (loop_new(&node.loop, &e) < 0)
		die("%s", e.text);
	node.stamp = (uint64_t)clock_wall_s() * 1000;
	if (build(&e) < 0)
		die("%s", e.text);
	expel_apply(&node);
	bulletin_begin(node.bulletin);
	on_trim(NULL);
	log_info("%s (%s, number %u) of cluster %.8s at %s%s", node.self.name,
		 role_name(node.self.role), node.self.id, node.self.cluster, node.set.listen,
		 node.set.relayed ? ", outgoing connections only" : "");
	r = loop_run(node.loop);
	if (r < 0)
		log_err("the loop ended: %s", strerror(-r));
	tear_down();
	return r < 0;
}
