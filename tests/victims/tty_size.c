/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tty_size.c - the size of the window is kept, changed from the other end, and told by SIGWINCH */
#include "victim.h"

#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

static volatile sig_atomic_t count;

static void on_change(int signal)
{
	count++;
}

int main(void)
{
	struct winsize size = { .ws_row = 24, .ws_col = 80 }, now;
	int master, slave, n = 0;

	victim_session();
	NEED(openpty(&master, &slave, NULL, NULL, &size) == 0 && ioctl(slave, TIOCSCTTY, 0) == 0);
	(void)signal(SIGWINCH, on_change);
	victim_ready();
	while (victim_round()) {
		CHECK_EQ(ioctl(slave, TIOCGWINSZ, &now), 0);
		CHECK_EQ(now.ws_row, size.ws_row);
		CHECK_EQ(now.ws_col, size.ws_col);
		size.ws_row = size.ws_row % 100 + 1;
		size.ws_col = size.ws_col % 200 + 1;
		CHECK_EQ(ioctl(master, TIOCSWINSZ, &size), 0);
		n++;
		while (count < n)
			victim_pause(100 * 1000);
		CHECK_EQ(count, n);
		/* nothing new, no signal */
		CHECK_EQ(ioctl(master, TIOCSWINSZ, &size), 0);
		CHECK_EQ(count, n);
	}
	return victim_end();
}
