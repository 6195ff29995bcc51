/* SPDX-License-Identifier: GPL-2.0-or-later */
/* block_tty.c - waits in read() on a terminal until a line is typed */
#include "victim.h"

#include <pty.h>
#include <termios.h>
#include <unistd.h>

static int master, slave;

static void wake(void *unused)
{
	CHECK_EQ(write(master, "a line\r", 7), 7);
}

int main(void)
{
	struct waker waker;
	char line[32];

	NEED(openpty(&master, &slave, NULL, NULL, NULL) == 0);
	waker = victim_waker(wake, NULL);
	while (victim_round()) {
		victim_wait(&waker);
		CHECK_EQ(read(slave, line, sizeof(line)), 7);
		CHECK_MEM(line, "a line\n", 7);
		CHECK_EQ(tcflush(master, TCIFLUSH), 0);
	}
	victim_waker_end(&waker);
	return victim_end();
}
