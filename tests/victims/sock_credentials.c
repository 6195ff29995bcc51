/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sock_credentials.c - the kernel vouches for pid, uid and gid of who sent a message and of who
 * connected
 */
#include "victim.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int pair[2];

static void send_one(void *unused)
{
	CHECK_EQ(send(pair[0], "x", 1, 0), 1);
}

static void check_sender(pid_t pid)
{
	union {
		char bytes[CMSG_SPACE(sizeof(struct ucred))];
		struct cmsghdr align;
	} control = { 0 };
	char byte;
	struct iovec v = { &byte, 1 };
	struct msghdr m = { .msg_iov = &v,
			    .msg_iovlen = 1,
			    .msg_control = control.bytes,
			    .msg_controllen = sizeof(control.bytes) };
	struct ucred cred;
	struct cmsghdr *c;

	CHECK_EQ(recvmsg(pair[1], &m, 0), 1);
	c = CMSG_FIRSTHDR(&m);
	if (!CHECK(c && c->cmsg_type == SCM_CREDENTIALS))
		return;
	memcpy(&cred, CMSG_DATA(c), sizeof(cred));
	CHECK_EQ(cred.pid, pid);
	CHECK_EQ(cred.uid, getuid());
	CHECK_EQ(cred.gid, getgid());
}

int main(void)
{
	int on = 1;

	NEED(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) == 0);
	NEED(setsockopt(pair[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) == 0);
	victim_ready();
	while (victim_round()) {
		struct ucred cred = { 0 };
		socklen_t len = sizeof(cred);
		pid_t child;

		send_one(NULL);
		check_sender(getpid());
		child = victim_child(send_one, NULL);
		check_sender(child);
		victim_reap(child);
		CHECK_EQ(getsockopt(pair[0], SOL_SOCKET, SO_PEERCRED, &cred, &len), 0);
		CHECK_EQ(cred.pid, getpid());
		CHECK_EQ(cred.uid, geteuid());
	}
	return victim_end();
}
