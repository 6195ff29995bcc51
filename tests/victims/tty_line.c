/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tty_line.c - a terminal gives whole lines, with erasing, echo, end of file and the end of line
 * translated
 */
#include "victim.h"

#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

static int master, slave;

static void type(const char *keys)
{
	CHECK_EQ(write(master, keys, strlen(keys)), strlen(keys));
}

static void check_seen(const char *want)
{
	char got[256] = "";
	size_t n = 0;

	while (n < strlen(want)) {
		ssize_t m = read(master, got + n, sizeof(got) - 1 - n);

		if (!CHECK(m > 0))
			return;
		n += (size_t)m;
	}
	CHECK_STR(got, want);
}

static void check_line(const char *want)
{
	char got[256] = "";

	CHECK_EQ(read(slave, got, sizeof(got) - 1), strlen(want));
	CHECK_STR(got, want);
}

int main(void)
{
	struct termios t;

	NEED(openpty(&master, &slave, NULL, NULL, NULL) == 0 && tcgetattr(slave, &t) == 0);
	t.c_lflag &= ~(tcflag_t)ECHOE; /* what an erased character looks like is nobody's promise */
	t.c_cc[VERASE] = 0x7f;
	NEED(tcsetattr(slave, TCSANOW, &t) == 0);
	victim_ready();
	while (victim_round()) {
		type("hello\r");
		check_line("hello\n");
		check_seen("hello\r\n");
		CHECK_EQ(write(slave, "out\n", 4), 4);
		check_seen("out\r\n");

		CHECK_EQ(tcgetattr(slave, &t), 0);
		t.c_lflag &= ~(tcflag_t)ECHO;
		CHECK_EQ(tcsetattr(slave, TCSADRAIN, &t), 0);
		type("wrom\x7f\x7f\x7ford\r\x04");
		check_line("word\n");
		check_line("");
		type("a\rb\r");
		check_line("a\n");
		check_line("b\n");
		t.c_lflag |= ECHO;
		CHECK_EQ(tcsetattr(slave, TCSADRAIN, &t), 0);
	}
	return victim_end();
}
