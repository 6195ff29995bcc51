/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sock_tcp_nonblock.c - TCP without waiting: connect in progress, poll until it is made, refused,
 * full and empty
 */
#include "victim.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

static int in_progress(const struct sockaddr_in *to)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	NEED(fd >= 0);
	/* on the loopback it may be over at once, either way */
	if (connect(fd, (const void *)to, sizeof(*to)) < 0)
		CHECK(errno == EINPROGRESS || errno == ECONNREFUSED);
	return fd;
}

static int error_of(int fd)
{
	socklen_t len = sizeof(int);
	int error = -1;

	CHECK_EQ(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len), 0);
	return error;
}

int main(void)
{
	struct sockaddr_in name = { .sin_family = AF_INET }, closed;
	static char bytes[65536];
	socklen_t len = sizeof(name);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), silent;

	name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	closed = name;
	silent = socket(AF_INET, SOCK_STREAM,
			0); /* bound, so that nobody else is there, and not listening */
	NEED(bind(listener, (void *)&name, sizeof(name)) == 0 && listen(listener, 5) == 0);
	NEED(bind(silent, (void *)&closed, sizeof(closed)) == 0);
	NEED(getsockname(listener, (void *)&name, &len) == 0 &&
	     getsockname(silent, (void *)&closed, &len) == 0);
	victim_ready();
	while (victim_round()) {
		struct pollfd p;
		ssize_t sent = 0, got = 0, n;
		int a, b;

		CHECK_ERR(accept(listener, NULL, NULL), EAGAIN);
		a = in_progress(&name);
		p = (struct pollfd){ a, POLLOUT, 0 };
		CHECK_EQ(poll(&p, 1, -1), 1);
		CHECK_EQ(p.revents, POLLOUT);
		CHECK_EQ(error_of(a), 0);
		p = (struct pollfd){ listener, POLLIN, 0 };
		CHECK_EQ(poll(&p, 1, -1), 1);
		b = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
		NEED(b >= 0);
		CHECK_ERR(recv(b, bytes, 1, 0), EAGAIN);
		while ((n = send(a, bytes, sizeof(bytes), MSG_NOSIGNAL)) > 0)
			sent += n;
		CHECK_EQ(errno, EAGAIN);
		while (got < sent) {
			p = (struct pollfd){ b, POLLIN, 0 };
			CHECK_EQ(poll(&p, 1, -1), 1);
			n = recv(b, bytes, sizeof(bytes), 0);
			if (!CHECK(n > 0))
				break;
			got += n;
		}
		CHECK_EQ(got, sent);
		CHECK_EQ(close(a) | close(b), 0);

		a = in_progress(&closed);
		p = (struct pollfd){ a, POLLOUT, 0 };
		CHECK_EQ(poll(&p, 1, -1), 1);
		CHECK(p.revents & POLLHUP);
		CHECK(error_of(a) == ECONNREFUSED || !(p.revents & POLLERR));
		CHECK_EQ(close(a), 0);
	}
	return victim_end();
}
