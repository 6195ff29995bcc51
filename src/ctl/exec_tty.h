/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exec_tty.h - our own terminal, handed to a command on a node */
#ifndef CTL_EXEC_TTY_H
#define CTL_EXEC_TTY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/** exec_tty_raw() - Pass every key on unread, until exec_tty_restore(); 0 or -errno */
int exec_tty_raw(int fd) MUST_CHECK;

/** exec_tty_restore() - As it was; harmless when nothing was changed. Also done at exit(3) */
void exec_tty_restore(void);

/** exec_tty_size() - Rows and columns; 0 and 0 when it does not know */
void exec_tty_size(int fd, uint32_t *ret_rows, uint32_t *ret_columns);

/* finds "~." at the beginning of a line, the way out when the node does not answer any more */
struct exec_escape {
	enum exec_escape_at {
		ESCAPE_LINE_START,
		ESCAPE_TILDE,
		ESCAPE_IN_LINE,
	} at;
};

/** exec_escape_seen() - Look at keys on their way; true when the way out was typed. Pure */
bool exec_escape_seen(struct exec_escape *x, const uint8_t *keys, size_t n);

#endif
