/* SPDX-License-Identifier: GPL-2.0-or-later */
/* record.c - what a lab leaves on the machine, and how it is taken away */
#include "lab/record.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "lab/cgroup.h"
#include "os/fd.h"
#include "os/file.h"
#include "os/sock.h"

#define END_TIMEOUT_MS 30000

static bool same_directory(int fd, const char *path)
{
	struct stat a, b;

	return fstat(fd, &a) == 0 && stat(path, &b) == 0 && a.st_ino == b.st_ino &&
	       a.st_dev == b.st_dev;
}

int record_lock(int *ret_fd, struct err *e)
{
	for (;;) {
		int r = dir_make(LAB_ROOT, 0755, e);

		if (r < 0)
			return r;
		AUTO_CLOSE int fd = open(LAB_ROOT, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		if (fd < 0 && errno == ENOENT)
			continue; /* the last lab was just taken away */
		if (fd < 0)
			return err_set(e, -errno, "open '%s': %s", LAB_ROOT, strerror(errno));
		while (flock(fd, LOCK_EX) < 0)
			if (errno != EINTR)
				return err_set(e, -errno, "lock '%s': %s", LAB_ROOT,
					       strerror(errno));
		if (!same_directory(fd, LAB_ROOT))
			continue;
		*ret_fd = fd_take(&fd);
		return 0;
	}
}

int record_write(const struct lab_paths *p, const char *text, struct err *e)
{
	int r = dir_make(p->dir, 0755, e);

	if (!r)
		r = file_write_atomic(p->record, text, strlen(text), 0644, e);
	if (!r)
		r = dir_make(p->stage, 0755, e);
	return r;
}

int record_supervisor(const struct lab_paths *p, int *ret_pidfd, struct err *e)
{
	AUTO_CLOSE int fd = -1, pidfd = -1;
	struct pollfd hup;
	struct sock_peer who;
	int r = sock_packet_connect(p->control, &fd, e);

	if (r == -ENOENT || r == -ECONNREFUSED)
		return err_set(e, -ESRCH, "no lab '%s' is up; start one: comosix lab up --name %s",
			       p->name, p->name);
	if (!r)
		r = sock_peer(fd, &who, e);
	if (r < 0)
		return r;
	pidfd = (int)syscall(SYS_pidfd_open, who.pid, 0);
	/* while the connection stands, the pid is still the listener's */
	hup = (struct pollfd){ .fd = fd };
	if (pidfd < 0 || poll(&hup, 1, 0) != 0)
		return err_set(e, -ESRCH, "lab '%s' has just ended", p->name);
	*ret_pidfd = fd_take(&pidfd);
	return 0;
}

int record_sweep(const struct lab_paths *p, struct err *e)
{
	int r = cgroup_sweep(p->cgroup, e);

	if (!r)
		r = dir_remove(p->dir, e);
	/* not empty: another lab is there */
	if (!r && rmdir(LAB_ROOT) < 0 && errno != ENOTEMPTY && errno != EEXIST && errno != ENOENT)
		r = err_set(e, -errno, "remove '%s': %s", LAB_ROOT, strerror(errno));
	return r;
}

int record_remove(const struct lab_paths *p, struct err *e)
{
	bool there = access(p->dir, F_OK) == 0;
	AUTO_CLOSE int pidfd = -1;
	int r = record_supervisor(p, &pidfd, e);

	if (r < 0 && r != -ESRCH)
		return r;
	if (!r) {
		struct pollfd end = { .fd = pidfd, .events = POLLIN };

		/* ends when all processes of its pid namespace have ended (pid_namespaces(7)) */
		if (syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0) < 0 && errno != ESRCH)
			return err_set(e, -errno, "end lab '%s': %s", p->name, strerror(errno));
		while ((r = poll(&end, 1, END_TIMEOUT_MS)) < 0 && errno == EINTR)
			continue;
		if (r != 1)
			return err_set(
				e, -ETIMEDOUT,
				"the processes of lab '%s' do not end; look at 'ps' for state D",
				p->name);
	}
	r = record_sweep(p, e);
	return r < 0 ? r : there;
}
