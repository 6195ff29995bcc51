/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * block_recvmsg.c - waits in recvmsg() with several buffers and room for control data until a
 * datagram comes
 */
#include "victim.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

static struct sockaddr_in name = { .sin_family = AF_INET };

static void wake(void *unused)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	CHECK_EQ(sendto(fd, "abcdefgh", 8, 0, (void *)&name, sizeof(name)), 8);
	(void)close(fd);
}

int main(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0), on = 1;
	socklen_t len = sizeof(name);
	struct waker waker;

	name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	NEED(fd >= 0 && bind(fd, (void *)&name, sizeof(name)) == 0);
	NEED(getsockname(fd, (void *)&name, &len) == 0);
	NEED(setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on)) == 0);
	waker = victim_waker(wake, NULL);
	while (victim_round()) {
		union {
			char bytes[256];
			struct cmsghdr align;
		} control;
		char a[3], b[10];
		struct iovec v[2] = { { a, sizeof(a) }, { b, sizeof(b) } };
		struct sockaddr_in from = { 0 };
		struct msghdr m = { .msg_name = &from,
				    .msg_namelen = sizeof(from),
				    .msg_iov = v,
				    .msg_iovlen = 2,
				    .msg_control = control.bytes,
				    .msg_controllen = sizeof(control.bytes) };

		victim_wait(&waker);
		CHECK_EQ(recvmsg(fd, &m, 0), 8);
		CHECK_MEM(a, "abc", 3);
		CHECK_MEM(b, "defgh", 5);
		CHECK_EQ(from.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
		CHECK(CMSG_FIRSTHDR(&m) && CMSG_FIRSTHDR(&m)->cmsg_type == IP_PKTINFO);
	}
	victim_waker_end(&waker);
	return victim_end();
}
