/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sock_udp.c - UDP on the loopback: datagrams with their senders, and many in one call on a
 * connected socket
 */
#include "victim.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define N 4

static int bound(struct sockaddr_in *name)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	socklen_t len = sizeof(*name);

	*name = (struct sockaddr_in){ .sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	NEED(fd >= 0 && bind(fd, (void *)name, sizeof(*name)) == 0 &&
	     getsockname(fd, (void *)name, &len) == 0);
	return fd;
}

int main(void)
{
	struct sockaddr_in a_name, b_name, from;
	int a = bound(&a_name), b = bound(&b_name);
	uint64_t seed = 39;

	victim_ready();
	while (victim_round()) {
		unsigned char bytes[N][100], got[N][100];
		struct mmsghdr out[N] = { 0 }, in[N] = { 0 };
		struct iovec from_[N], to[N];
		socklen_t len = sizeof(from);
		int c;

		victim_fill(bytes, sizeof(bytes), ++seed);
		memset(got, 0, sizeof(got));
		CHECK_EQ(sendto(a, bytes, 300, 0, (void *)&b_name, sizeof(b_name)), 300);
		CHECK_EQ(recvfrom(b, got, 400, 0, (void *)&from, &len), 300);
		CHECK_MEM(got, bytes, 300);
		CHECK_EQ(from.sin_port, a_name.sin_port);

		c = socket(AF_INET, SOCK_DGRAM, 0);
		CHECK_EQ(connect(c, (void *)&b_name, sizeof(b_name)), 0);
		for (int i = 0; i < N; i++) {
			from_[i] = (struct iovec){ bytes[i], 10 + (size_t)i };
			to[i] = (struct iovec){ got[i], 100 };
			out[i].msg_hdr = (struct msghdr){ .msg_iov = &from_[i], .msg_iovlen = 1 };
			in[i].msg_hdr = (struct msghdr){ .msg_iov = &to[i], .msg_iovlen = 1 };
		}
		CHECK_EQ(sendmmsg(c, out, N, 0), N);
		CHECK_EQ(recvmmsg(b, in, N, MSG_WAITFORONE, NULL), N);
		for (int i = 0; i < N; i++) {
			CHECK_EQ(in[i].msg_len, 10 + i);
			CHECK_MEM(got[i], bytes[i], 10 + (size_t)i);
		}
		CHECK_ERR(recv(b, got, 1, MSG_DONTWAIT), EAGAIN);
		CHECK_EQ(close(c), 0);
	}
	return victim_end();
}
