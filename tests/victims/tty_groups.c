/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tty_groups.c - the foreground group reads the terminal; a background child that does is stopped
 * until it may
 */
#include "victim.h"

#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

static int master, slave;

static void read_line(void *unused)
{
	char line[8] = "";

	NEED(setpgid(0, 0) == 0);
	CHECK_EQ(read(slave, line, sizeof(line)), 3);
	CHECK_MEM(line, "hi\n", 3);
}

int main(void)
{
	int status;

	victim_session();
	NEED(openpty(&master, &slave, NULL, NULL, NULL) == 0 && ioctl(slave, TIOCSCTTY, 0) == 0);
	(void)signal(SIGTTOU, SIG_IGN); /* it changes the foreground from the background */
	victim_ready();
	while (victim_round()) {
		pid_t child = victim_child(read_line, NULL);

		CHECK_EQ(waitpid(child, &status, WUNTRACED), child);
		CHECK_EQ(WIFSTOPPED(status) ? WSTOPSIG(status) : -1, SIGTTIN);
		CHECK_EQ(tcsetpgrp(slave, child), 0);
		CHECK_EQ(tcgetpgrp(slave), child);
		CHECK_EQ(write(master, "hi\r", 3), 3);
		CHECK_EQ(kill(child, SIGCONT), 0);
		victim_reap(child);
		CHECK_EQ(tcsetpgrp(slave, getpgrp()), 0);
		CHECK_EQ(tcflush(master, TCIOFLUSH), 0);
	}
	return victim_end();
}
