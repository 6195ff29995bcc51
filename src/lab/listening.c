/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * listening.c - does somebody listen here? asked of /proc, so that nobody is disturbed
 *
 * A connection made only to try the door would be logged by the daemon as a peer that hung up.
 */
#include "lab/listening.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/attr.h"

#define TCP_STATE_LISTEN  0x0a
#define UNIX_FLAG_LISTENS 0x10000 /* __SO_ACCEPTCON, linux/net.h */

/* a line of /proc/net/unix: address, references, protocol, flags, type, state, inode, path */
static bool is_unix(const char *line, const void *arg)
{
	const char *path = arg;
	unsigned int flags;
	char at[256];

	return sscanf(line, "%*x: %*x %*x %x %*x %*x %*u %255s", &flags, at) == 2 &&
	       flags & UNIX_FLAG_LISTENS && !strcmp(at, path);
}

/* a line of /proc/net/tcp: number, local address:port, remote address:port, state */
static bool is_tcp(const char *line, const void *arg)
{
	const uint16_t *port = arg;
	unsigned int local, state;

	return sscanf(line, " %*d: %*[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x", &local, &state) == 2 &&
	       state == TCP_STATE_LISTEN && local == *port;
}

static bool any_line(const char *file, bool (*match)(const char *, const void *), const void *arg)
{
	FILE *f = fopen(file, "re");
	AUTO_FREE char *line = NULL;
	bool found = false;
	size_t size = 0;

	while (f && !found && getline(&line, &size, f) > 0)
		found = match(line, arg);
	if (f)
		(void)fclose(f); /* read only */
	return found;
}

bool listening_unix(const char *path)
{
	return any_line("/proc/net/unix", is_unix, path);
}

bool listening_tcp(uint16_t port)
{
	return any_line("/proc/net/tcp", is_tcp, &port) ||
	       any_line("/proc/net/tcp6", is_tcp, &port);
}
