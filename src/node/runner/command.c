/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * command.c - the command that a runner runs: its start, its pipes or terminal, its end
 *
 * Theory of operation. The child does in this order: own session (so that a signal to the group
 * reaches the command and nobody else); the terminal becomes its controlling one; the three fds;
 * then it drops to the user, and only after that looks for its directory and its program, so that
 * no path is tried with more rights than the user has. Pipes and terminal are given to the user, so
 * that he can open /dev/stdout. What fails is written as a struct failure into a pipe that exec
 * closes.
 */
#include "node/runner/command.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <pty.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "node/runner/environment.h"
#include "os/fd.h"
#include "os/spawn.h"

#define STATUS_RUNNER_FAILED 125
#define STATUS_NOT_EXECUTED  126
#define STATUS_NOT_FOUND     127

enum step {
	STEP_SESSION,
	STEP_USER,
	STEP_EXEC,
};

static const char *const step_names[] = {
	[STEP_SESSION] = "set up its session and files",
	[STEP_USER] = "become the user",
	[STEP_EXEC] = "execute it",
};

struct failure {
	enum step step;
	int error; /* -errno */
};

/* the child's three; the same thrice with a terminal */
struct ends {
	int fds[3];
};

static void NORETURN fail(int report, enum step step, int error)
{
	const struct failure f = { .step = step, .error = error };

	if (write(report, &f, sizeof(f)) != sizeof(f))
		_exit(STATUS_RUNNER_FAILED);
	_exit(step == STEP_EXEC && error == -ENOENT ? STATUS_NOT_FOUND : STATUS_NOT_EXECUTED);
}

static int take_session(const struct ends *ends, bool tty)
{
	if (setsid() < 0)
		return -errno;
	if (tty && ioctl(ends->fds[0], TIOCSCTTY, 0) < 0)
		return -errno;
	for (int i = 0; i < 3; i++)
		if (dup2(ends->fds[i], i) < 0)
			return -errno;
	return close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) < 0 ? -errno : 0;
}

static void go_to(const char *wanted, const char *home)
{
	if (wanted[0] == '/' && !chdir(wanted))
		return;
	if (home[0] == '/' && !chdir(home))
		return;
	(void)!chdir("/"); /* always there */
}

static void NORETURN child(const struct user *u, const Cmx__ExecRequest *rq,
			   const struct ends *ends, char **env, char **argv, int report)
{
	int r;

	r = spawn_reset_signals();
	if (!r)
		r = take_session(ends, rq->tty);
	if (r < 0)
		fail(report, STEP_SESSION, r);
	(void)umask(022);
	r = user_become(u, NULL);
	if (r < 0)
		fail(report, STEP_USER, r);
	/* after the change of user, which clears it; sudo clears it again, as it may */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	go_to(rq->cwd, u->home);
	environ = env; /* execvpe() searches the PATH of this process */
	(void)execvpe(argv[0], argv, env);
	fail(report, STEP_EXEC, -errno);
}

static int open_pipe(int *ret_ours, int *ret_theirs, bool we_write, const struct user *u)
{
	int p[2];

	if (pipe2(p, O_CLOEXEC) < 0)
		return -errno;
	*ret_ours = p[we_write ? 1 : 0];
	*ret_theirs = p[we_write ? 0 : 1];
	/* the user's, so that /dev/stdout can be opened; only root can give away */
	if (geteuid() == 0 && fchown(*ret_theirs, u->uid, u->gid) < 0)
		return -errno;
	return fd_nonblock(*ret_ours, 1);
}

static int open_pipes(const struct user *u, struct command *c, struct ends *theirs)
{
	int r = open_pipe(&c->in, &theirs->fds[0], true, u);

	if (!r)
		r = open_pipe(&c->out, &theirs->fds[1], false, u);
	if (!r)
		r = open_pipe(&c->err, &theirs->fds[2], false, u);
	return r;
}

static int open_terminal(const struct user *u, const Cmx__ExecRequest *rq, struct command *c,
			 struct ends *theirs)
{
	int slave;

	if (openpty(&c->out, &slave, NULL, NULL, NULL) < 0)
		return -errno;
	theirs->fds[0] = slave;
	if (fcntl(c->out, F_SETFD, FD_CLOEXEC) < 0 || fcntl(slave, F_SETFD, FD_CLOEXEC) < 0)
		return -errno;
	if (geteuid() == 0 && (fchown(slave, u->uid, (gid_t)-1) < 0 || fchmod(slave, 0620) < 0))
		return -errno;
	theirs->fds[1] = fcntl(slave, F_DUPFD_CLOEXEC, 0);
	theirs->fds[2] = fcntl(slave, F_DUPFD_CLOEXEC, 0);
	c->in = fcntl(c->out, F_DUPFD_CLOEXEC, 0);
	if (theirs->fds[1] < 0 || theirs->fds[2] < 0 || c->in < 0)
		return -errno;
	c->tty = true;
	command_resize(c, rq->rows, rq->columns);
	return fd_nonblock(c->out, 1);
}

/* a copy of argv that ends with NULL; the strings stay the request's */
static char **argv_new(const Cmx__ExecRequest *rq)
{
	char **argv = calloc(rq->n_argv + 1, sizeof(*argv));

	for (size_t i = 0; argv && i < rq->n_argv; i++)
		argv[i] = rq->argv[i];
	return argv;
}

int command_start(const struct user *u, const char *node, const Cmx__ExecRequest *rq,
		  struct command *ret, struct err *e)
{
	struct command c = { .in = -1, .out = -1, .err = -1, .report = -1 };
	struct ends theirs = { { -1, -1, -1 } };
	AUTO_FREE char **argv = argv_new(rq);
	char **env = environment_new(u, node, rq->env, rq->n_env, rq->tty);
	int report[2] = { -1, -1 };
	int r = argv && env ? 0 : -ENOMEM;

	if (!r && !rq->n_argv)
		r = -EINVAL;
	if (!r)
		r = rq->tty ? open_terminal(u, rq, &c, &theirs) : open_pipes(u, &c, &theirs);
	if (!r && pipe2(report, O_CLOEXEC | O_NONBLOCK) < 0)
		r = -errno;
	c.report = report[0];
	if (!r) {
		c.pid = fork();
		if (!c.pid)
			child(u, rq, &theirs, env, argv, report[1]);
		r = c.pid < 0 ? -errno : 0;
	}
	fd_close(&report[1]);
	for (int i = 0; i < 3; i++)
		fd_close(&theirs.fds[i]);
	environment_free(env);
	if (r < 0) {
		command_done(&c);
		return err_set(e, r, "start the command: %s", strerror(-r));
	}
	*ret = c;
	return 0;
}

uint32_t command_status(const struct command *c, int wait_status, const char *argv0, char *reason,
			size_t len)
{
	struct failure f;

	reason[0] = '\0';
	if (read(c->report, &f, sizeof(f)) == sizeof(f)) {
		bool missing = f.step == STEP_EXEC && f.error == -ENOENT;

		if (f.step == STEP_EXEC)
			(void)snprintf(reason, len, "'%s': %s", argv0,
				       missing ? "command not found" : strerror(-f.error));
		else
			(void)snprintf(reason, len, "'%s' could not %s: %s", argv0,
				       step_names[f.step], strerror(-f.error));
		return missing ? STATUS_NOT_FOUND : STATUS_NOT_EXECUTED;
	}
	if (WIFSIGNALED(wait_status))
		return 128 + (uint32_t)WTERMSIG(wait_status);
	return (uint32_t)WEXITSTATUS(wait_status);
}

void command_signal(const struct command *c, int signo)
{
	pid_t group = c->pid;

	if (c->tty) {
		pid_t front = tcgetpgrp(c->out);

		if (front > 1)
			group = front;
	}
	(void)kill(-group, signo); /* gone: as wanted */
}

void command_resize(const struct command *c, uint32_t rows, uint32_t columns)
{
	struct winsize w = { .ws_row = (unsigned short)(rows & 0x7fff),
			     .ws_col = (unsigned short)(columns & 0x7fff) };

	if (c->tty && rows && columns)
		(void)ioctl(c->out, TIOCSWINSZ, &w); /* a terminal of another size still works */
}

void command_done(struct command *c)
{
	fd_close(&c->in);
	fd_close(&c->out);
	fd_close(&c->err);
	fd_close(&c->report);
}
