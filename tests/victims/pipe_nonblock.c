/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pipe_nonblock.c - a pipe without waiting: EAGAIN when empty and when full, its size, FIONREAD,
 * end of file
 */
#include "victim.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define SIZE 65536

int main(void)
{
	static unsigned char bytes[SIZE];
	int p[2], n;

	NEED(pipe2(p, O_NONBLOCK | O_CLOEXEC) == 0);
	victim_ready();
	while (victim_round()) {
		struct pollfd in = { p[0], POLLIN, 0 }, out = { p[1], POLLOUT, 0 };
		int q[2];

		CHECK_ERR(read(p[0], bytes, 1), EAGAIN);
		CHECK_EQ(poll(&in, 1, 0), 0);
		CHECK_EQ(fcntl(p[1], F_SETPIPE_SZ, SIZE), SIZE);
		CHECK_EQ(fcntl(p[0], F_GETPIPE_SZ), SIZE);
		victim_fill(bytes, SIZE, 1);
		CHECK_EQ(write(p[1], bytes, SIZE), SIZE);
		CHECK_ERR(write(p[1], bytes, 1), EAGAIN);
		CHECK_EQ(poll(&out, 1, 0), 0);
		CHECK_EQ(poll(&in, 1, 0), 1);
		CHECK_EQ(ioctl(p[0], FIONREAD, &n), 0);
		CHECK_EQ(n, SIZE);
		CHECK_EQ(read(p[0], bytes, SIZE), SIZE);
		CHECK(victim_is(bytes, SIZE, 1));
		CHECK(fcntl(p[0], F_GETFL) & O_NONBLOCK);

		NEED(pipe(q) == 0);
		CHECK_EQ(write(q[1], "ab", 2), 2);
		CHECK_EQ(close(q[1]), 0);
		CHECK_EQ(read(q[0], bytes, 10), 2);
		CHECK_EQ(read(q[0], bytes, 10), 0);
		in.fd = q[0];
		CHECK_EQ(poll(&in, 1, 0), 1);
		CHECK_EQ(in.revents, POLLHUP);
		CHECK_EQ(close(q[0]), 0);
	}
	return victim_end();
}
