/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sock_tcp6.c - TCP over IPv6 on the loopback, between parent and child, with scatter and gather */
#include "victim.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

static struct sockaddr_in6 name = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };

static void echo(void *unused)
{
	int fd = socket(AF_INET6, SOCK_STREAM, 0);
	char bytes[3000];
	ssize_t n;

	CHECK_EQ(connect(fd, (void *)&name, sizeof(name)), 0);
	while ((n = recv(fd, bytes, sizeof(bytes), 0)) > 0)
		CHECK_EQ(send(fd, bytes, (size_t)n, 0), n);
}

int main(void)
{
	int listener = socket(AF_INET6, SOCK_STREAM, 0);
	socklen_t len = sizeof(name);
	uint64_t seed = 40;

	if (listener < 0 || bind(listener, (void *)&name, sizeof(name)) < 0)
		victim_skip("this machine has no IPv6 on its loopback");
	NEED(listen(listener, 1) == 0 && getsockname(listener, (void *)&name, &len) == 0);
	victim_ready();
	while (victim_round()) {
		unsigned char a[1000], b[500], got[1500];
		struct iovec v[2] = { { a, sizeof(a) }, { b, sizeof(b) } };
		pid_t child = victim_child(echo, NULL);
		int fd = accept(listener, NULL, NULL);

		NEED(fd >= 0);
		victim_fill(a, sizeof(a), ++seed);
		victim_fill(b, sizeof(b), seed);
		CHECK_EQ(writev(fd, v, 2), 1500);
		CHECK_EQ(recv(fd, got, sizeof(got), MSG_WAITALL), 1500);
		CHECK_MEM(got, a, sizeof(a));
		CHECK_MEM(got + sizeof(a), b, sizeof(b));
		CHECK_EQ(close(fd), 0);
		victim_reap(child);
	}
	return victim_end();
}
