/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hostile_host.c - a deputy, and a host that says whatever a test tells it to
 *
 * hostile_host FD PID [job [PATH...]] (JOB_HOME: home directory of its user): the parent is the
 * deputy of PID as comosix-deputy is one; the child is the other end of its channel and rebuilds
 * nothing. Frames pass between the channel and the test by descriptor FD, both ways: { length u32,
 * type u32, payload }. Prints the states of the deputy, then "over STATUS: WHY".
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/parse.h"
#include "log/log.h"
#include "migrate/deputy.h"
#include "migrate/lease.h"
#include "migrate/rights.h"
#include "os/fd.h"
#include "tracee/maps.h"

static int test_fd;
static const uint8_t key[CHANNEL_KEY] = "only for this test, no secret";

/* -------------------------------------------------------------------- the host */

struct host {
	struct loop *loop;
	struct channel *channel;
	struct ev_ref ref;
	uint32_t head[2]; /* of what is waiting for room */
	uint8_t *payload;
};

static void to_test(uint32_t type, const void *p, uint32_t n)
{
	const uint32_t head[2] = { n, type };

	if (fd_write_all(test_fd, head, sizeof(head)) < 0 || fd_write_all(test_fd, p, n) < 0)
		_exit(0); /* the test has enough */
}

static int on_frame(void *owner, const struct move_frame *f, struct err *e)
{
	(void)owner;
	(void)e;
	to_test(f->type, f->payload, f->len);
	return 0;
}

static void on_broken(void *owner, const struct err *why)
{
	struct host *h = owner;

	(void)why;
	loop_stop(h->loop, 0);
}

static void read_all(void *p, size_t n)
{
	for (size_t have = 0; have < n;) {
		ssize_t r = read(test_fd, (uint8_t *)p + have, n - have);

		if (r <= 0)
			_exit(0);
		have += (size_t)r;
	}
}

static void send_waiting(struct host *h)
{
	int r;

	if (!h->payload)
		return;
	r = channel_send(h->channel, h->head[1], h->payload, h->head[0], NULL, 0);
	if (r == -ENOBUFS)
		return;
	free(h->payload);
	h->payload = NULL;
}

static void on_room(void *owner)
{
	struct host *h = owner;

	send_waiting(h);
	if (!h->payload)
		loop_set_fd(h->loop, h->ref, EPOLLIN);
}

static void on_test(void *owner, uint32_t events)
{
	struct host *h = owner;

	(void)events;
	read_all(h->head, sizeof(h->head));
	h->payload = malloc(h->head[0] + 1);
	if (!h->payload)
		_exit(1);
	read_all(h->payload, h->head[0]);
	send_waiting(h);
	if (h->payload)
		loop_set_fd(h->loop, h->ref, 0);
}

static void NORETURN be_host(int fd)
{
	static const struct channel_ops ops = { .frame = on_frame,
						.room = on_room,
						.broken = on_broken };
	struct host h = { 0 };
	struct err e;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || loop_new(&h.loop, &e) < 0 ||
	    channel_new(h.loop, fd, false, key, &ops, &h, &h.channel, &e) < 0 ||
	    loop_add_fd(h.loop, test_fd, EPOLLIN, on_test, &h, &h.ref) < 0)
		_exit(1);
	_exit(loop_run(h.loop));
}

/* ------------------------------------------------------------------ the deputy */

static struct loop *loop;

static void on_state(void *owner, enum deputy_state s, uint64_t freeze_us)
{
	(void)owner;
	(void)freeze_us;
	(void)printf("state %d\n", (int)s);
	(void)fflush(stdout);
}

static void on_over(void *owner, int status, const char *why)
{
	(void)owner;
	(void)printf("over %d: %s\n", status, why);
	(void)fflush(stdout);
	loop_stop(loop, status);
}

static void on_recall(void *owner, int signo)
{
	(void)signo;
	deputy_recall(owner);
}

int main(int argc, char **argv)
{
	static const struct deputy_ops ops = { on_state, on_over };
	struct confine_spec spec = { .paths = (const char *const *)argv + 4 };
	static struct deputy d;
	struct ev_ref ref;
	struct proc_stat st;
	struct err e = { 0 };
	uint32_t fd, pid;
	int pair[2], r;

	log_open("hostile_host", LOG_INFO);
	if (argc < 3 || parse_u32(argv[1], &fd) < 0 || parse_u32(argv[2], &pid) < 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		die("which process?");
	test_fd = (int)fd;
	if (!fork()) {
		(void)close(pair[0]);
		be_host(pair[1]);
	}
	(void)close(pair[1]);
	(void)close(test_fd);
	if (loop_new(&loop, &e) < 0 || loop_add_signal(loop, SIGINT, on_recall, &d, &ref) < 0 ||
	    deputy_start(&d, loop, pair[0], key, (pid_t)pid, LEASE_MS, &ops, NULL, &e) < 0)
		die("%s", e.text);
	if (argc > 3) {
		spec.n_paths = (size_t)argc - 4;
		spec.home = getenv("JOB_HOME");
		if (deputy_confine(&d, &spec, &e) < 0)
			die("%s", e.text);
	}
	if (proc_stat_read((pid_t)pid, &st, &e) < 0 || rights_shed(st.uid[0], st.gid[0], &e) < 0)
		die("%s", e.text);
	r = loop_run(loop);
	deputy_done(&d);
	loop_free(loop);
	return r < 0 ? 1 : r;
}
