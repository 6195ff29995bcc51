/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sock_rights.c - descriptors are handed over a socket and are the same open files at the other end
 */
#include "victim.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define N 2

static void hand_over(int to, const int fds[N])
{
	union {
		char bytes[CMSG_SPACE(N * sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	struct iovec v = { (char *)"x", 1 };
	struct msghdr m = { .msg_iov = &v,
			    .msg_iovlen = 1,
			    .msg_control = control.bytes,
			    .msg_controllen = sizeof(control.bytes) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(N * sizeof(int));
	memcpy(CMSG_DATA(c), fds, N * sizeof(int));
	CHECK_EQ(sendmsg(to, &m, 0), 1);
}

static void take(int from, int fds[N])
{
	union {
		char bytes[CMSG_SPACE(N * sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	char byte;
	struct iovec v = { &byte, 1 };
	struct msghdr m = { .msg_iov = &v,
			    .msg_iovlen = 1,
			    .msg_control = control.bytes,
			    .msg_controllen = sizeof(control.bytes) };
	struct cmsghdr *c;

	CHECK_EQ(recvmsg(from, &m, MSG_CMSG_CLOEXEC), 1);
	c = CMSG_FIRSTHDR(&m);
	NEED(c != NULL);
	CHECK_EQ(c->cmsg_type, SCM_RIGHTS);
	CHECK_EQ(c->cmsg_len, CMSG_LEN(N * sizeof(int)));
	memcpy(fds, CMSG_DATA(c), N * sizeof(int));
}

int main(void)
{
	int pair[2], file, pipe_[2];
	off_t at = 0;

	victim_scratch();
	file = open("file", O_RDWR | O_CREAT, 0600);
	NEED(file >= 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0 && pipe(pipe_) == 0);
	victim_ready();
	while (victim_round()) {
		int sent[N] = { file, pipe_[1] }, got[N];
		struct stat a, b;
		char byte;

		hand_over(pair[0], sent);
		take(pair[1], got);
		CHECK(got[0] != file && got[1] != pipe_[1]);
		CHECK_EQ(fstat(file, &a) | fstat(got[0], &b), 0);
		CHECK_EQ(a.st_ino, b.st_ino);
		CHECK_EQ(fcntl(got[0], F_GETFD), FD_CLOEXEC);
		at += 7;
		CHECK_EQ(lseek(got[0], at, SEEK_SET), at);
		CHECK_EQ(lseek(file, 0, SEEK_CUR), at);
		CHECK_EQ(write(got[1], "y", 1), 1);
		CHECK_EQ(read(pipe_[0], &byte, 1), 1);
		CHECK_EQ(close(got[0]) | close(got[1]), 0);
	}
	return victim_end();
}
