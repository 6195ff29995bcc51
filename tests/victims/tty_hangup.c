/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tty_hangup.c - when the other end of its terminal is closed a session gets SIGHUP, and reads give
 * EIO or 0
 */
#include "victim.h"

#include <errno.h>
#include <pty.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

static int master, slave;

static void live_there(void *told)
{
	sigset_t set;
	siginfo_t info;
	char byte;

	(void)close(master);
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGHUP);
	NEED(sigprocmask(SIG_BLOCK, &set, NULL) == 0 && setsid() == getpid());
	NEED(ioctl(slave, TIOCSCTTY, 0) == 0);
	CHECK_EQ(write(*(int *)told, "r", 1), 1);
	CHECK_EQ(sigwaitinfo(&set, &info), SIGHUP);
	CHECK_EQ(read(slave, &byte, 1), 0);
	CHECK_ERR(write(slave, "x", 1), EIO);
}

int main(void)
{
	int told[2];

	NEED(pipe(told) == 0);
	victim_ready();
	while (victim_round()) {
		pid_t child;
		char byte;

		NEED(openpty(&master, &slave, NULL, NULL, NULL) == 0);
		child = victim_child(live_there, &told[1]);
		CHECK_EQ(close(slave), 0);
		CHECK_EQ(read(told[0], &byte, 1), 1);
		CHECK_EQ(close(master), 0);
		victim_reap(child);
	}
	return victim_end();
}
