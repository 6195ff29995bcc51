/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tty_signals.c - keys of its controlling terminal send SIGINT, SIGQUIT and SIGTSTP, and are not
 * read
 */
#include "victim.h"

#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

static const struct {
	char key;
	int signal;
} keys[] = { { 3, SIGINT }, { 0x1c, SIGQUIT }, { 0x1a, SIGTSTP } };

static volatile sig_atomic_t counts[65];

static void on_key(int signal)
{
	counts[signal]++;
}

int main(void)
{
	int master, slave, round = 0, n;

	victim_session();
	NEED(openpty(&master, &slave, NULL, NULL, NULL) == 0 && ioctl(slave, TIOCSCTTY, 0) == 0);
	NEED(fcntl(slave, F_SETFL, O_NONBLOCK) == 0);
	for (int i = 0; i < 3; i++)
		(void)signal(keys[i].signal, on_key);
	victim_ready();
	while (victim_round()) {
		char byte;
		int tty;

		round++;
		for (int i = 0; i < 3; i++) {
			CHECK_EQ(write(master, &keys[i].key, 1), 1);
			while (counts[keys[i].signal] < round)
				victim_pause(100 * 1000);
			CHECK_EQ(counts[keys[i].signal], round);
			CHECK_ERR(read(slave, &byte, 1), EAGAIN);
		}
		tty = open("/dev/tty", O_RDWR);
		CHECK(tty >= 0);
		CHECK_EQ(tcgetpgrp(tty), getpgrp());
		CHECK_EQ(tcgetsid(slave), getsid(0));

		CHECK_EQ(ioctl(master, TIOCGPTN, &n), 0);
		(void)close(tty);
		(void)tcflush(slave, TCIOFLUSH);
	}
	return victim_end();
}
