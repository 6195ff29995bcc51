/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sock_tcp.c - TCP on the loopback: connections are made, kept over all rounds, half closed and
 * ended
 */
#include "victim.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SIZE 20000

static struct sockaddr_in name = { .sin_family = AF_INET };
static int listener;

static void connect_pair(int *a, int *b)
{
	struct sockaddr_in peer, own;
	socklen_t peer_len = sizeof(peer), own_len = sizeof(own);

	*a = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	NEED(*a >= 0 && connect(*a, (void *)&name, sizeof(name)) == 0);
	*b = accept4(listener, (void *)&peer, &peer_len, SOCK_CLOEXEC);
	NEED(*b >= 0 && getsockname(*a, (void *)&own, &own_len) == 0);
	CHECK_EQ(peer.sin_port, own.sin_port);
	CHECK_EQ(peer.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
}

static void exchange(int from, int to, uint64_t seed)
{
	static unsigned char bytes[SIZE];

	victim_fill(bytes, SIZE, seed);
	CHECK_EQ(send(from, bytes, SIZE, 0), SIZE);
	memset(bytes, 0, SIZE);
	CHECK_EQ(recv(to, bytes, 100, MSG_PEEK), 100);
	CHECK_EQ(recv(to, bytes, SIZE, MSG_WAITALL), SIZE);
	CHECK(victim_is(bytes, SIZE, seed));
}

int main(void)
{
	int kept_a, kept_b, a, b, on = 1, value = 0;
	socklen_t len = sizeof(name);
	uint64_t seed = 38;
	char byte;

	listener = socket(AF_INET, SOCK_STREAM, 0);
	name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	NEED(listener >= 0 && bind(listener, (void *)&name, sizeof(name)) == 0 &&
	     listen(listener, 5) == 0);
	NEED(getsockname(listener, (void *)&name, &len) == 0);
	connect_pair(&kept_a, &kept_b);
	NEED(setsockopt(kept_a, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == 0);
	victim_ready();
	while (victim_round()) {
		exchange(kept_a, kept_b, seed++);
		exchange(kept_b, kept_a, seed++);
		connect_pair(&a, &b);
		exchange(a, b, seed++);
		CHECK_EQ(shutdown(a, SHUT_WR), 0);
		CHECK_EQ(recv(b, &byte, 1, 0), 0);
		exchange(b, a, seed++);
		CHECK_EQ(close(a) | close(b), 0);
		len = sizeof(value);
		CHECK_EQ(getsockopt(kept_a, IPPROTO_TCP, TCP_NODELAY, &value, &len), 0);
		CHECK_EQ(value != 0, 1);
	}
	return victim_end();
}
