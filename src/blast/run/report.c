/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * report.c - phase 2: the genuine BLAST+ makes the report, from the candidates or unsplit
 *
 * Theory of operation. BLAST+ is started at once, with the user's own options in the user's own
 * directory. When it begins with a query batch, the preloaded library waits on its standard input
 * for the candidates, which are written there as soon as phase 1 has them: the report grows while
 * the search goes on. It comes out on a pipe and is written here, because BLAST+ itself does not
 * notice a full disk. What it says on standard error is kept until it is known whether this run
 * counts.
 */
#include "blast/run/report.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "base/buf.h"
#include "blast/prelim/prelim.h"
#include "os/fd.h"

#define READ_STEP 65536
#define QUEUE_MAX ((size_t)1 << 32)

struct report {
	struct report_setup s;
	pid_t pid; /* 0: ended */
	int status;
	int in_fd, out_fd, talk_fd; /* its stdin and stdout, pipes; its stderr, kept in memory */
	struct ev_ref in_ref, out_ref, child_ref;
	struct buf queue; /* for in_fd */
	bool last;
	struct err error;
};

extern char **environ;

static void maybe_over(struct report *r)
{
	if (!r->pid && r->out_fd < 0)
		r->s.over(r->s.owner, r->status, r->error.code ? &r->error : NULL);
}

static void stop_feeding(struct report *r)
{
	loop_remove(r->s.loop, &r->in_ref);
	fd_close(&r->in_fd);
}

static void on_child(void *owner, pid_t pid, int wait_status)
{
	struct report *r = owner;

	(void)pid;
	r->pid = 0;
	r->status = wait_status;
	stop_feeding(r);
	maybe_over(r);
}

static void on_out(void *owner, uint32_t events)
{
	struct report *r = owner;
	char bytes[READ_STEP];
	ssize_t n = read(r->out_fd, bytes, sizeof(bytes));

	(void)events; /* read() tells it all */
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0 && !output_write(r->s.output, bytes, (size_t)n, &r->error))
		return;
	if (n > 0 && r->pid)
		(void)kill(r->pid, SIGKILL); /* ours and not reaped, so it is there */
	loop_remove(r->s.loop, &r->out_ref);
	fd_close(&r->out_fd);
	maybe_over(r);
}

static void on_in(void *owner, uint32_t events)
{
	struct report *r = owner;

	(void)events; /* write() tells it all */
	while (r->queue.len) {
		ssize_t n = write(r->in_fd, buf_bytes(&r->queue), r->queue.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0) {
			stop_feeding(r); /* it has ended, or is about to; its status will tell */
			return;
		}
		buf_eat(&r->queue, (size_t)n);
	}
	if (r->last)
		stop_feeding(r);
	else
		loop_set_fd(r->s.loop, r->in_ref, 0);
}

int report_batch(struct report *r, uint32_t n_queries, const uint32_t *oids, uint32_t n)
{
	struct prelim_batch b = { PRELIM_BATCH_MAGIC, n_queries, n, 0 };
	int a;

	if (r->in_fd < 0)
		return 0; /* it has ended */
	a = buf_put(&r->queue, &b, sizeof(b));
	if (!a)
		a = buf_put(&r->queue, oids, n * sizeof(*oids));
	if (!a)
		loop_set_fd(r->s.loop, r->in_ref, EPOLLOUT);
	return a;
}

void report_last(struct report *r)
{
	r->last = true;
	if (r->in_fd >= 0)
		loop_set_fd(r->s.loop, r->in_ref, EPOLLOUT);
}

void report_talk(struct report *r)
{
	char bytes[READ_STEP];
	off_t at = 0;
	ssize_t n;

	while (r->talk_fd >= 0 && (n = pread(r->talk_fd, bytes, sizeof(bytes), at)) > 0) {
		at += n;
		if (fd_write_all(STDERR_FILENO, bytes, (size_t)n) < 0)
			return; /* nobody listens there */
	}
}

void report_free(struct report *r)
{
	if (!r)
		return;
	loop_remove(r->s.loop, &r->child_ref);
	loop_remove(r->s.loop, &r->out_ref);
	stop_feeding(r);
	if (r->pid) {
		(void)kill(r->pid, SIGKILL); /* ours and not reaped, so it is there */
		while (waitpid(r->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	fd_close(&r->out_fd);
	fd_close(&r->talk_fd);
	buf_done(&r->queue);
	free(r);
}

static int make_pipe(int *ret_ours, int *ret_theirs, bool we_read, struct err *e)
{
	int p[2], r;

	if (pipe2(p, O_CLOEXEC) < 0)
		return err_set(e, -errno, "pipe: %s", strerror(errno));
	*ret_ours = p[we_read ? 0 : 1];
	*ret_theirs = p[we_read ? 1 : 0];
	r = fd_nonblock(*ret_ours, 1);
	return r < 0 ? err_set(e, r, "pipe: %s", strerror(-r)) : 0;
}

static int start(struct report *r, struct err *e)
{
	struct engine_run run = { r->s.engine,
				  r->s.program,
				  r->s.words,
				  r->s.engine ? "select" : NULL,
				  false,
				  (const char *const *)environ,
				  { r->s.stdin_fd, -1, STDERR_FILENO } };
	AUTO_CLOSE int its_in = -1;
	AUTO_CLOSE int its_out = -1;
	int a = make_pipe(&r->out_fd, &its_out, true, e);

	if (!a && r->s.engine) {
		a = make_pipe(&r->in_fd, &its_in, false, e);
		r->talk_fd = memfd_create("talk", MFD_CLOEXEC);
		if (!a && r->talk_fd < 0)
			a = err_set(e, -errno, "memfd_create: %s", strerror(errno));
		run.fds[0] = its_in;
		run.fds[2] = r->talk_fd;
	}
	run.fds[1] = its_out;
	if (!a)
		a = loop_add_fd(r->s.loop, r->out_fd, EPOLLIN, on_out, r, &r->out_ref);
	if (!a && r->in_fd >= 0)
		a = loop_add_fd(r->s.loop, r->in_fd, 0, on_in, r, &r->in_ref);
	if (!a)
		a = engine_start(&run, &r->pid, e);
	if (!a)
		a = loop_add_child(r->s.loop, r->pid, on_child, r, &r->child_ref);
	return a;
}

int report_start(const struct report_setup *s, struct report **ret, struct err *e)
{
	struct report *r = calloc(1, sizeof(*r));
	int a;

	if (!r)
		return err_set(e, -ENOMEM, "out of memory");
	r->s = *s;
	r->in_fd = r->out_fd = r->talk_fd = -1;
	buf_init(&r->queue, QUEUE_MAX);
	a = start(r, e);
	if (a < 0) {
		report_free(r);
		return a;
	}
	*ret = r;
	return 0;
}
