/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exec_tty.c - our own terminal, handed to a command on a node */
#include "ctl/exec_tty.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

/* one process has one terminal; kept here so that exit() finds it */
static struct {
	int fd;
	struct termios was;
	bool raw;
	bool at_exit;
} saved;

void exec_tty_restore(void)
{
	if (saved.raw)
		(void)tcsetattr(saved.fd, TCSADRAIN, &saved.was); /* nothing better can be done */
	saved.raw = false;
}

int exec_tty_raw(int fd)
{
	struct termios t;

	if (tcgetattr(fd, &t) < 0)
		return -errno;
	saved.fd = fd;
	saved.was = t;
	if (!saved.at_exit && atexit(exec_tty_restore) == 0)
		saved.at_exit = true;
	cfmakeraw(&t);
	if (tcsetattr(fd, TCSADRAIN, &t) < 0)
		return -errno;
	saved.raw = true;
	return 0;
}

void exec_tty_size(int fd, uint32_t *ret_rows, uint32_t *ret_columns)
{
	struct winsize w = { 0 };

	if (ioctl(fd, TIOCGWINSZ, &w) < 0)
		w = (struct winsize){ 0 };
	*ret_rows = w.ws_row;
	*ret_columns = w.ws_col;
}

bool exec_escape_seen(struct exec_escape *x, const uint8_t *keys, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint8_t k = keys[i];

		if (x->at == ESCAPE_TILDE && k == '.')
			return true;
		if (k == '\r' || k == '\n')
			x->at = ESCAPE_LINE_START;
		else if (k == '~' && x->at == ESCAPE_LINE_START)
			x->at = ESCAPE_TILDE;
		else
			x->at = ESCAPE_IN_LINE;
	}
	return false;
}
