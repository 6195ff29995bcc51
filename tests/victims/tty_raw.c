/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tty_raw.c - a raw terminal gives each byte as it is, at once, and its settings stay as set */
#include "victim.h"

#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

int main(void)
{
	struct termios t, now;
	int master, slave, n = 0;

	NEED(openpty(&master, &slave, NULL, NULL, NULL) == 0 && tcgetattr(slave, &t) == 0);
	cfmakeraw(&t);
	t.c_cc[VMIN] = 4;
	t.c_cc[VTIME] = 0;
	NEED(tcsetattr(slave, TCSANOW, &t) == 0 && tcgetattr(slave, &t) == 0);
	victim_ready();
	while (victim_round()) {
		static const char keys[4] = { 3, 0x1a, '\r', 4 };
		char got[16] = "";

		memset(&now, 0, sizeof(now));
		CHECK_EQ(tcgetattr(slave, &now), 0);
		CHECK_EQ(now.c_lflag, t.c_lflag);
		CHECK_EQ(now.c_iflag, t.c_iflag);
		CHECK_EQ(now.c_oflag, t.c_oflag);
		CHECK_MEM(now.c_cc, t.c_cc, sizeof(t.c_cc));
		CHECK_EQ(write(master, keys, 4), 4);
		CHECK_EQ(read(slave, got, sizeof(got)), 4); /* waits for VMIN of them */
		CHECK_MEM(got, keys, 4);
		CHECK_EQ(write(slave, "a\nb", 3), 3);
		CHECK_EQ(read(master, got, sizeof(got)), 3);
		CHECK_MEM(got, "a\nb", 3);

		CHECK_EQ(write(master, "123", 3), 3);
		do
			CHECK_EQ(ioctl(slave, FIONREAD, &n), 0);
		while (n < 3);
		CHECK_EQ(tcflush(slave, TCIFLUSH), 0);
		CHECK_EQ(ioctl(slave, FIONREAD, &n), 0);
		CHECK_EQ(n, 0);
		CHECK_EQ(isatty(slave), 1);
	}
	return victim_end();
}
