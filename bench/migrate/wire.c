/* SPDX-License-Identifier: GPL-2.0-or-later */
/* wire.c - sockets belong to the namespace that they were made in, whoever uses them */
#include "wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "os/fd.h"

/* a socket of that namespace */
static int socket_in(const char *netns, int own, struct err *e)
{
	AUTO_CLOSE int there = open(netns, O_RDONLY | O_CLOEXEC);
	int fd;

	if (there < 0 || setns(there, CLONE_NEWNET) < 0)
		return err_set(e, -errno, "enter '%s': %s", netns, strerror(errno));
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		(void)err_set(e, -errno, "make a socket: %s", strerror(errno));
	if (setns(own, CLONE_NEWNET) < 0) {
		fd_close(&fd);
		return err_set(e, -errno, "come back from '%s': %s", netns, strerror(errno));
	}
	return fd < 0 ? e->code : fd;
}

static int join(int home, int listening, struct sockaddr_in *at, int *ret, struct err *e)
{
	socklen_t len = sizeof(*at);
	struct sockaddr *to = (struct sockaddr *)at;

	if (bind(listening, to, len) < 0 || listen(listening, 1) < 0 ||
	    getsockname(listening, to, &len) < 0)
		return err_set(e, -errno, "listen: %s", strerror(errno));
	if (connect(home, to, len) < 0)
		return err_set(e, -errno, "connect: %s", strerror(errno));
	*ret = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
	return *ret < 0 ? err_set(e, -errno, "accept: %s", strerror(errno)) : 0;
}

int wire_open(const char *home, const char *host, const char *address, int ret[2], struct err *e)
{
	AUTO_CLOSE int own = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	struct sockaddr_in at = { .sin_family = AF_INET };
	AUTO_CLOSE int near = -1, listening = -1;
	int on = 1, far = -1, r;

	if (own < 0)
		return err_set(e, -errno, "open our network namespace: %s", strerror(errno));
	if (inet_pton(AF_INET, address, &at.sin_addr) != 1)
		return err_set(e, -EINVAL, "'%s' is no IPv4 address", address);
	listening = socket_in(host, own, e);
	near = listening < 0 ? -1 : socket_in(home, own, e);
	if (near < 0)
		return e->code;
	r = join(near, listening, &at, &far, e);
	if (r < 0)
		return r;
	(void)setsockopt(near, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); /* a TCP socket has it */
	(void)setsockopt(far, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	ret[0] = fd_take(&near);
	ret[1] = far;
	return 0;
}
