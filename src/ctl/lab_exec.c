/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lab_exec.c - comosix lab exec: run a command on a node of a lab
 *
 * Theory of operation. The command gets this program's own stdin, stdout and stderr, so its bytes
 * pass nobody. Only when stdin and stdout are a terminal does it get a pty at the node instead
 * (another session cannot have ours as its terminal), and this program carries bytes between the
 * two; then Ctrl-C and job control are the pty's business. Else the signals of the table are
 * passed on as messages.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <termios.h>

#include "ctl/command.h"
#include "ctl/lab_ask.h"
#include "lab/request_fd.h"
#include "os/fd.h"

#define NO_EXEC	     125 /* env(1): could not even try */
#define BYTES	     16384
#define LAST_WAIT_MS 200 /* for what others in the session still write */

struct options {
	const char *name;
};

static const struct opt_spec specs[] = {
	{ "name", 0, OPT_STRING, offsetof(struct options, name), "LAB", "which lab (default lab)" },
};

static const struct opt_command exec_command = {
	"comosix lab exec",
	"NODE [[--] CMD [ARG...]]",
	"run a command on a node of a lab, as the caller",
	"  comosix lab exec head -- comosix status\n"
	"  comosix lab exec n1 -- sh -c 'hostname; ip address'\n"
	"  comosix lab exec head            (a shell)\n",
	specs,
	ARRAY_LEN(specs),
	true,
};

static const int passed_on[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGCONT };

struct run {
	int conn, signals, master; /* master: -1 without a pty */
	bool stdin_open;
	bool ended;
	int wait_status;
	struct termios saved;
};

static void write_out(int fd, const char *p, size_t n)
{
	while (n) {
		ssize_t w = write(fd, p, n);
		struct pollfd ready = { .fd = fd, .events = POLLOUT };

		if (w < 0 && errno == EAGAIN) {
			(void)poll(&ready, 1, -1); /* EINTR: tried again */
			continue;
		}
		if (w < 0 && errno != EINTR)
			return; /* a terminal that went away takes no more */
		if (w > 0) {
			p += w;
			n -= (size_t)w;
		}
	}
}

/* from the pty to our stdout; false at its end */
static bool from_pty(struct run *r)
{
	char b[BYTES];
	ssize_t n = read(r->master, b, sizeof(b));

	if (n > 0)
		write_out(STDOUT_FILENO, b, (size_t)n);
	return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

static void to_pty(struct run *r)
{
	char b[BYTES];
	ssize_t n = read(STDIN_FILENO, b, sizeof(b));

	if (n > 0)
		write_out(r->master, b, (size_t)n);
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		r->stdin_open = false;
}

static void on_signal(struct run *r)
{
	struct signalfd_siginfo si;
	struct winsize w;

	if (read(r->signals, &si, sizeof(si)) != sizeof(si))
		return;
	if (si.ssi_signo != SIGWINCH)
		channel_tell(r->conn, SAY_SIGNAL, (int)si.ssi_signo, NULL); /* it may have ended */
	else if (r->master >= 0 && ioctl(STDIN_FILENO, TIOCGWINSZ, &w) == 0)
		(void)ioctl(r->master, TIOCSWINSZ, &w); /* the old size stays */
}

/* Return: 0 or the exit status to end with */
static int on_conn(struct run *r)
{
	struct channel_msg m;
	int got = channel_recv(r->conn, &m);

	if (got == -EAGAIN)
		return 0;
	if (got != 1)
		return lab_say(NO_EXEC, "the node went down under the command");
	if (m.type == SAY_EXIT) {
		r->ended = true;
		r->wait_status = m.number;
	}
	channel_msg_done(&m);
	return 0;
}

/* carry what is to be carried until the command has ended */
static int serve(struct run *r)
{
	for (;;) {
		struct pollfd p[] = {
			{ .fd = r->ended ? -1 : r->conn, .events = POLLIN },
			{ .fd = r->signals, .events = POLLIN },
			{ .fd = r->master, .events = POLLIN },
			{ .fd = r->master >= 0 && r->stdin_open ? STDIN_FILENO : -1,
			  .events = POLLIN },
		};
		int n = poll(p, ARRAY_LEN(p), r->ended ? LAST_WAIT_MS : -1), status;

		if (n < 0 && errno != EINTR)
			return lab_say(NO_EXEC, "poll: %s", strerror(errno));
		if (p[1].revents)
			on_signal(r);
		if (p[2].revents && !from_pty(r))
			fd_close(&r->master);
		if (p[3].revents && r->master >= 0)
			to_pty(r);
		if (p[0].revents) {
			status = on_conn(r);
			if (status)
				return status;
		}
		if (r->ended && (r->master < 0 || n == 0))
			return 0;
	}
}

static int watch_signals(struct err *e)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_LEN(passed_on); i++)
		sigaddset(&set, passed_on[i]);
	sigaddset(&set, SIGWINCH);
	(void)sigprocmask(SIG_BLOCK, &set, NULL); /* cannot fail with this set */
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? err_set(e, -errno, "signalfd: %s", strerror(errno)) : fd;
}

/* every key is the pty's business */
static void raw(struct run *r)
{
	struct termios t;

	if (tcgetattr(STDIN_FILENO, &r->saved) < 0)
		return;
	t = r->saved;
	cfmakeraw(&t);
	(void)tcsetattr(STDIN_FILENO, TCSADRAIN,
			&t); /* a terminal that cannot: keys come by line */
}

static int carry(struct run *r)
{
	bool pty = r->master >= 0;
	int status;

	if (pty)
		raw(r);
	status = serve(r);
	if (pty)
		(void)tcsetattr(STDIN_FILENO, TCSADRAIN, &r->saved); /* nothing else can be done */
	fd_close(&r->master);
	if (status)
		return status;
	return WIFSIGNALED(r->wait_status) ? 128 + WTERMSIG(r->wait_status)
					   : WEXITSTATUS(r->wait_status);
}

/* Return: 0 when the command runs, else the exit status to end with */
static int begin(struct run *r, const char *node, char **cmd)
{
	bool pty = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
	AUTO_FREE char *cwd = getcwd(NULL, 0);
	AUTO_CLOSE int request = -1;
	struct channel_msg m;
	struct err e;
	int got;

	if (!cwd)
		return lab_say(NO_EXEC, "working directory: %s", strerror(errno));
	if (request_fd(cwd, cmd, &request, &e) < 0)
		return lab_say(NO_EXEC, "%s", e.text);
	r->signals = watch_signals(&e);
	if (r->signals < 0)
		return lab_say(NO_EXEC, "%s", e.text);
	int fds[] = { request, STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO };

	got = channel_send_fds(r->conn, SAY_EXEC, pty, node, fds, ARRAY_LEN(fds));
	if (got < 0)
		return lab_say(NO_EXEC, "cannot ask the lab (is one of 0, 1, 2 closed?): %s",
			       strerror(-got));
	got = channel_wait(r->conn, -1, &m);
	if (got != 1)
		return lab_say(NO_EXEC, "the lab went down before the command ran");
	if (m.type != SAY_STARTED) {
		channel_msg_done(&m);
		return lab_say(NO_EXEC, "%s: %s", node, m.text);
	}
	if (m.n_fds) {
		r->master = m.fds[0];
		m.fds[0] = -1;
	}
	channel_msg_done(&m);
	return 0;
}

int cmd_lab_exec(int argc, char **argv)
{
	static char *shell[] = { NULL, NULL };
	struct options o = { .name = LAB_NAME_DEFAULT };
	struct run r = { .conn = -1, .signals = -1, .master = -1, .stdin_open = true };
	char **cmd;
	int first, status;

	if (!lab_options(&exec_command, argc, argv, &o, -1, &first, &status))
		return status;
	if (first >= argc)
		return lab_missing(&exec_command);
	cmd = argv + first + 1;
	if (*cmd && !strcmp(*cmd, "--"))
		cmd++;
	if (!*cmd) {
		shell[0] = getenv("SHELL");
		if (!shell[0])
			shell[0] = (char *)"/bin/sh";
		cmd = shell;
	}
	if (lab_connect(o.name, &r.conn))
		return NO_EXEC;
	status = begin(&r, argv[first], cmd);
	if (!status)
		status = carry(&r);
	fd_close(&r.conn);
	fd_close(&r.signals);
	return status;
}
