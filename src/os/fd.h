/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fd.h - owning file descriptors */
#ifndef OS_FD_H
#define OS_FD_H

#include <unistd.h>

#include "base/attr.h"
#include "base/err.h"

static inline void fd_close(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd); /* Linux frees the number whatever close() says */
	*fd = -1;
}

/* a local int, -1 when empty, closed when it goes out of scope */
#define AUTO_CLOSE __attribute__((cleanup(fd_close)))

/** fd_take() - Hand an AUTO_CLOSE fd over to another owner; *fd is -1 afterwards */
static inline int fd_take(int *fd)
{
	int v = *fd;

	*fd = -1;
	return v;
}

/** fd_nonblock() - Switch O_NONBLOCK on or off; for fds that came from elsewhere */
int fd_nonblock(int fd, int on) MUST_CHECK;

/** fd_write_all() - Write all of it to a blocking fd; -errno */
int fd_write_all(int fd, const void *p, size_t n) MUST_CHECK;

#endif
