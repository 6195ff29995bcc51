/* SPDX-License-Identifier: GPL-2.0-or-later */
/* block_accept.c - waits in accept() on TCP until somebody connects */
#include "victim.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

static struct sockaddr_in name = { .sin_family = AF_INET };

static void wake(void *unused)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	CHECK_EQ(connect(fd, (void *)&name, sizeof(name)), 0);
	CHECK_EQ(write(fd, "w", 1), 1);
	(void)close(fd);
}

int main(void)
{
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	socklen_t len = sizeof(name);
	struct waker waker;
	char byte;

	name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	NEED(listener >= 0 && bind(listener, (void *)&name, sizeof(name)) == 0 &&
	     listen(listener, 5) == 0);
	NEED(getsockname(listener, (void *)&name, &len) == 0);
	waker = victim_waker(wake, NULL);
	while (victim_round()) {
		int fd;

		victim_wait(&waker);
		fd = accept(listener, NULL, NULL);
		CHECK(fd >= 0);
		CHECK_EQ(read(fd, &byte, 1), 1);
		CHECK_EQ(read(fd, &byte, 1), 0);
		CHECK_EQ(close(fd), 0);
	}
	victim_waker_end(&waker);
	return victim_end();
}
