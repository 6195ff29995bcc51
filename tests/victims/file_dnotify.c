/* SPDX-License-Identifier: GPL-2.0-or-later */
/* file_dnotify.c - a directory sends the signal that was asked for when something in it changes */
#include "victim.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

static volatile sig_atomic_t count, fd_told;

static void on_change(int signal, siginfo_t *info, void *context)
{
	count++;
	fd_told = info->si_fd;
}

int main(void)
{
	struct sigaction sa = { .sa_sigaction = on_change, .sa_flags = SA_SIGINFO };
	int dir, n = 0;

	victim_scratch();
	dir = open(".", O_RDONLY | O_DIRECTORY);
	NEED(dir >= 0 && sigaction(SIGRTMIN, &sa, NULL) == 0);
	NEED(fcntl(dir, F_SETSIG, SIGRTMIN) == 0);
	if (fcntl(dir, F_NOTIFY, DN_CREATE | DN_MULTISHOT) < 0)
		victim_skip("this kernel has no dnotify");
	victim_ready();
	while (victim_round()) {
		CHECK_EQ(fcntl(dir, F_GETSIG), SIGRTMIN);
		CHECK_EQ(count, n);
		CHECK_EQ(close(open("a", O_CREAT | O_WRONLY, 0600)), 0);
		CHECK_EQ(count, ++n);
		CHECK_EQ(fd_told, dir);
		CHECK_EQ(unlink("a"), 0);
		CHECK_EQ(count, n);
	}
	return victim_end();
}
