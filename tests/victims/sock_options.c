/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sock_options.c - options of sockets stay as set: buffers, times, linger, keep-alive; a limit on
 * waiting ends it
 */
#include "victim.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static int get(int fd, int level, int option)
{
	int value = -1;
	socklen_t len = sizeof(value);

	CHECK_EQ(getsockopt(fd, level, option, &value, &len), 0);
	return value;
}

int main(void)
{
	int tcp = socket(AF_INET, SOCK_STREAM, 0), pair[2], idle = 100, on = 1, size = 50000;
	struct timeval brief = { 0, 3000 };
	struct linger linger = { 1, 7 };

	NEED(tcp >= 0 && socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) == 0);
	NEED(setsockopt(tcp, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on)) == 0);
	NEED(setsockopt(tcp, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)) == 0);
	NEED(setsockopt(tcp, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)) == 0);
	NEED(setsockopt(tcp, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle)) == 0);
	NEED(setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &brief, sizeof(brief)) == 0);
	victim_ready();
	while (victim_round()) {
		struct linger l = { 0 };
		socklen_t len = sizeof(l);
		char byte;

		CHECK_EQ(get(tcp, SOL_SOCKET, SO_TYPE), SOCK_STREAM);
		CHECK_EQ(get(tcp, SOL_SOCKET, SO_DOMAIN), AF_INET);
		CHECK_EQ(get(tcp, SOL_SOCKET, SO_KEEPALIVE), 1);
		CHECK_EQ(get(tcp, SOL_SOCKET, SO_RCVBUF), 2 * size); /* the kernel doubles it */
		CHECK_EQ(get(tcp, IPPROTO_TCP, TCP_KEEPIDLE), idle);
		CHECK_EQ(getsockopt(tcp, SOL_SOCKET, SO_LINGER, &l, &len), 0);
		CHECK(l.l_onoff == 1 && l.l_linger == 7);
		idle = idle % 200 + 1;
		CHECK_EQ(setsockopt(tcp, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle)), 0);
		CHECK_ERR(recv(pair[0], &byte, 1, 0), EAGAIN);
	}
	return victim_end();
}
