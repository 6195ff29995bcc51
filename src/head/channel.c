/* SPDX-License-Identifier: GPL-2.0-or-later */
/* channel.c - messages between the processes of comosix-headd */
#include "head/channel.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "os/clock.h"
#include "os/fd.h"
#include "wire/message.h"

#define SEND_BUFFER (2 * CHANNEL_MAX)

int channel_pair(int ret[2], struct err *e)
{
	int size = SEND_BUFFER;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ret) < 0)
		return err_set(e, -errno, "socketpair: %s", strerror(errno));
	for (int i = 0; i < 2; i++) {
		/* the kernel's default may be too small for the largest message: ask past the limit
		 */
		if (setsockopt(ret[i], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0 &&
		    setsockopt(ret[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)) < 0) {
			int r = -errno;

			fd_close(&ret[0]);
			fd_close(&ret[1]);
			return err_set(e, r, "SO_SNDBUF: %s", strerror(-r));
		}
	}
	return 0;
}

int channel_send(int fd, const void *msg, int pass_fd, struct err *e)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct msghdr mh = { 0 };
	struct iovec iov;
	struct buf b;
	ssize_t n;
	int r;

	buf_init(&b, CHANNEL_MAX);
	r = message_pack(&b, msg);
	if (r < 0) {
		r = r == -ENOBUFS ? -EMSGSIZE : r;
		buf_done(&b);
		return err_set(e, r, "a message inside comosix-headd: %s", strerror(-r));
	}
	iov = (struct iovec){ (void *)buf_bytes(&b), b.len };
	mh.msg_iov = &iov;
	mh.msg_iovlen = 1;
	if (pass_fd >= 0) {
		struct cmsghdr *c;

		mh.msg_control = control.bytes;
		mh.msg_controllen = sizeof(control.bytes);
		c = CMSG_FIRSTHDR(&mh);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &pass_fd, sizeof(int));
	}
	do
		n = sendmsg(fd, &mh, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	r = n < 0 ? -errno : 0;
	buf_done(&b);
	return r < 0 ? err_set(e, r, "send inside comosix-headd: %s", strerror(-r)) : 0;
}

static int wait_readable(int fd, int timeout_ms, struct err *e)
{
	uint64_t end_ms = clock_boot_ms() + (uint64_t)timeout_ms;

	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		int left = timeout_ms;
		int n;

		if (timeout_ms >= 0) {
			uint64_t now_ms = clock_boot_ms();

			left = now_ms < end_ms ? (int)(end_ms - now_ms) : 0;
		}
		n = poll(&p, 1, left);
		if (n > 0)
			return 0;
		if (!n)
			return err_set(e, -ETIMEDOUT, "no answer inside comosix-headd");
		if (errno != EINTR)
			return err_set(e, -errno, "poll: %s", strerror(errno));
	}
}

/* the first fd of a control message is kept, more are closed */
static void take_fds(struct msghdr *mh, int *ret_fd)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(mh); c; c = CMSG_NXTHDR(mh, c)) {
		size_t n;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			int got;

			memcpy(&got, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			if (ret_fd && *ret_fd < 0)
				*ret_fd = got;
			else
				fd_close(&got);
		}
	}
}

int channel_recv(int fd, int timeout_ms, struct buf *to, int *ret_fd, struct err *e)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(4 * sizeof(int))];
	} control;
	struct msghdr mh = { 0 };
	struct iovec iov;
	uint8_t *p;
	ssize_t n;
	int r;

	if (ret_fd)
		*ret_fd = -1;
	buf_reset(to);
	r = buf_room(to, CHANNEL_MAX, &p);
	if (r < 0)
		return err_set(e, r, "receive inside comosix-headd: %s", strerror(-r));
	r = wait_readable(fd, timeout_ms, e);
	if (r < 0)
		return r;
	iov = (struct iovec){ p, CHANNEL_MAX };
	mh.msg_iov = &iov;
	mh.msg_iovlen = 1;
	mh.msg_control = control.bytes;
	mh.msg_controllen = sizeof(control.bytes);
	do
		n = recvmsg(fd, &mh, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_set(e, -errno, "receive inside comosix-headd: %s", strerror(errno));
	take_fds(&mh, ret_fd);
	if (mh.msg_flags & MSG_TRUNC) {
		if (ret_fd)
			fd_close(ret_fd);
		return err_set(e, -EMSGSIZE, "a message inside comosix-headd is too long");
	}
	buf_grow(to, (size_t)n);
	return n > 0; /* no message of ours is empty: each has a number */
}
