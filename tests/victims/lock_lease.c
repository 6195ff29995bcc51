/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lock_lease.c - the holder of a lease is signalled when another process opens the file, and may
 * let it in
 */
#include "victim.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

static void open_it(void *unused)
{
	int fd = open("file", O_RDWR | O_NONBLOCK);

	/* without waiting it is told to come again */
	if (fd < 0)
		CHECK_EQ(errno, EWOULDBLOCK);
	fd = open("file", O_RDWR);
	CHECK(fd >= 0);
	CHECK_EQ(write(fd, "x", 1), 1);
}

int main(void)
{
	sigset_t set;
	int fd;

	victim_scratch();
	fd = open("file", O_RDONLY | O_CREAT, 0600);
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGRTMIN);
	NEED(fd >= 0 && sigprocmask(SIG_BLOCK, &set, NULL) == 0 &&
	     fcntl(fd, F_SETSIG, SIGRTMIN) == 0);
	if (fcntl(fd, F_SETLEASE, F_RDLCK) < 0)
		victim_skip("this file system gives no leases");
	victim_ready();
	while (victim_round()) {
		siginfo_t info;
		pid_t child;

		CHECK_EQ(fcntl(fd, F_GETLEASE), F_RDLCK);
		child = victim_child(open_it, NULL);
		CHECK_EQ(sigwaitinfo(&set, &info), SIGRTMIN);
		CHECK_EQ(info.si_fd, fd);
		CHECK_EQ(fcntl(fd, F_SETLEASE, F_UNLCK), 0);
		victim_reap(child);
		CHECK_EQ(fcntl(fd, F_GETSIG), 0); /* giving it up forgets the signal */
		CHECK_EQ(fcntl(fd, F_SETSIG, SIGRTMIN), 0);
		CHECK_EQ(fcntl(fd, F_SETLEASE, F_RDLCK), 0);
	}
	return victim_end();
}
