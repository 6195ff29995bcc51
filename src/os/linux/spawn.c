/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * spawn.c - start a program with exactly the fds, environment and signals it is meant to have
 *
 * Theory of operation. A plain clone(2) without CLONE_VM: the child has its own copy of everything,
 * so nothing it does before exec can hurt the parent, and it calls nothing but system calls. What
 * goes wrong in it comes back through a pipe that exec closes: no byte means the program runs.
 */
#include "os/spawn.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/fd.h"

#define FDS_ALL (SPAWN_FDS_MAX + SPAWN_MORE_MAX)

static int take_fds(const struct spawn *s)
{
	int high[FDS_ALL], n = SPAWN_FDS_MAX + (int)s->n_more_fds;

	/* first out of the way of all that are wanted, then into place */
	for (int i = 0; i < n; i++) {
		int fd = i < SPAWN_FDS_MAX ? s->fds[i] : s->more_fds[i - SPAWN_FDS_MAX];

		if (fd >= 0)
			high[i] = fcntl(fd, F_DUPFD_CLOEXEC, FDS_ALL);
		else
			high[i] = open("/dev/null", O_RDWR | O_CLOEXEC);
		if (high[i] >= 0 && high[i] < FDS_ALL)
			high[i] = fcntl(high[i], F_DUPFD_CLOEXEC, FDS_ALL);
		if (high[i] < 0)
			return -errno;
	}
	for (int i = 0; i < n; i++)
		if (dup2(high[i], i) < 0)
			return -errno;
	/* the report pipe must live until exec, so all are marked and none is closed */
	if (close_range((unsigned int)n, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
		return -errno;
	return 0;
}

/* sigaction(2) as the kernel has it, all zero: the default action, no flags, an empty mask */
struct kernel_sigaction {
	unsigned long handler, flags, restorer, mask;
};

int spawn_reset_signals(void)
{
	static const struct kernel_sigaction dfl;
	sigset_t none;

	/* by hand: the C library refuses the two it keeps for itself (32, 33), and a parent that is
	 * no C program may have left those ignored. KILL and STOP cannot be changed, and need not.
	 */
	for (int i = 1; i < NSIG; i++)
		(void)syscall(SYS_rt_sigaction, i, &dfl, NULL, sizeof(dfl.mask));
	sigemptyset(&none);
	return sigprocmask(SIG_SETMASK, &none, NULL) < 0 ? -errno : 0;
}

static int arm_death_signal(const struct spawn *s, pid_t parent)
{
	if (!s->death_signal)
		return 0;
	if (prctl(PR_SET_PDEATHSIG, s->death_signal) < 0)
		return -errno;
	/* from inside a new pid namespace every parent is 0 */
	if (!(s->namespaces & CLONE_NEWPID) && getppid() != parent)
		return -ESRCH;
	return 0;
}

static void NORETURN child(const struct spawn *s, pid_t parent, int report)
{
	static const char *const empty[] = { NULL };
	int high = fcntl(report, F_DUPFD_CLOEXEC, FDS_ALL);
	int r = high < 0 ? -errno : spawn_reset_signals();

	if (!r)
		r = take_fds(s);
	if (!r && s->own_session && setsid() < 0)
		r = -errno;
	if (!r)
		r = arm_death_signal(s, parent);
	if (!r) {
		(void)execve(s->path, (char *const *)s->argv,
			     (char *const *)(s->env ? s->env : empty));
		r = -errno;
	}
	if (write(high < 0 ? report : high, &r, sizeof(r)) != sizeof(r))
		_exit(126); /* the parent takes the silence for success, and reaps this */
	_exit(127);
}

int spawn_program(const struct spawn *s, pid_t *ret_pid, struct err *e)
{
	pid_t parent = getpid(), pid;
	int p[2], r = 0;
	ssize_t n;

	assert(s->n_more_fds <= SPAWN_MORE_MAX);
	if (pipe2(p, O_CLOEXEC) < 0)
		return err_set(e, -errno, "start '%s': pipe: %s", s->path, strerror(errno));
	AUTO_CLOSE int from = p[0];
	AUTO_CLOSE int to = p[1];

	pid = (pid_t)syscall(SYS_clone, s->namespaces | SIGCHLD, 0, 0, 0, 0);
	if (pid < 0)
		return err_set(e, -errno, "start '%s': clone: %s", s->path, strerror(errno));
	if (!pid)
		child(s, parent, to);
	fd_close(&to);
	do
		n = read(from, &r, sizeof(r));
	while (n < 0 && errno == EINTR);
	if (n == sizeof(r)) {
		(void)waitpid(pid, NULL,
			      0); /* it is about to exit, nothing else can be said of it */
		return err_set(e, r, "start '%s': %s", s->path, strerror(-r));
	}
	*ret_pid = pid;
	return 0;
}

int spawn_find(const char *name, const char *libexec, char *ret, size_t len, struct err *e)
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	int w;

	if (n > 0) {
		self[n] = '\0';
		w = snprintf(ret, len, "%s/%s", dirname(self), name);
		if (w > 0 && (size_t)w < len && !access(ret, X_OK))
			return 0;
	}
	w = snprintf(ret, len, "%s/%s", libexec, name);
	if (w > 0 && (size_t)w < len && !access(ret, X_OK))
		return 0;
	return err_set(e, -ENOENT,
		       "the program %s is neither beside this one nor in %s; is the package whole?",
		       name, libexec);
}
