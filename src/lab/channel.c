/* SPDX-License-Identifier: GPL-2.0-or-later */
/* channel.c - the lab's own messages, with file descriptors, over Unix packet sockets */
#include "lab/channel.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "os/clock.h"
#include "os/fd.h"

#define SOCKET_TYPE (SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK)

struct head {
	uint32_t type;
	int32_t number;
};

int channel_pair(int ret_fds[2], struct err *e)
{
	if (socketpair(AF_UNIX, SOCKET_TYPE, 0, ret_fds) < 0)
		return err_set(e, -errno, "socketpair: %s", strerror(errno));
	return 0;
}

int channel_send_fds(int fd, enum lab_message type, int32_t number, const char *text,
		     const int *fds, unsigned int n_fds)
{
	_Alignas(struct cmsghdr) char room[CMSG_SPACE(CHANNEL_FDS_MAX * sizeof(int))] = { 0 };
	struct head head = { .type = type, .number = number };
	size_t len = text ? strnlen(text, CHANNEL_TEXT_MAX) : 0;
	struct iovec iov[2] = { { &head, sizeof(head) }, { (void *)text, len } };
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = 2 };

	if (n_fds > CHANNEL_FDS_MAX)
		return -EINVAL;
	if (n_fds) {
		struct cmsghdr *c = (struct cmsghdr *)room;

		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		memcpy(CMSG_DATA(c), fds, n_fds * sizeof(int));
		m.msg_control = room;
		m.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
	}
	return sendmsg(fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}

void channel_tell(int fd, enum lab_message type, int32_t number, const char *text)
{
	int lost = channel_send(fd, type, number, text);

	(void)lost; /* as the contract says */
}

void channel_tell_fd(int fd, enum lab_message type, int pass)
{
	int lost = channel_send_fds(fd, type, 0, NULL, &pass, 1);

	(void)lost; /* as the contract says */
}

/* what the kernel put behind the packet; more than fits was closed by the kernel */
static void take_fds(struct msghdr *m, struct channel_msg *ret)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			if (ret->n_fds < CHANNEL_FDS_MAX)
				ret->fds[ret->n_fds++] = fd;
			else
				(void)close(fd); /* cannot happen with this much room */
		}
	}
}

int channel_recv(int fd, struct channel_msg *ret)
{
	_Alignas(struct cmsghdr) char room[CMSG_SPACE(CHANNEL_FDS_MAX * sizeof(int))];
	struct head head = { 0 };
	struct iovec iov[2] = { { &head, sizeof(head) }, { ret->text, CHANNEL_TEXT_MAX } };
	struct msghdr m = {
		.msg_iov = iov, .msg_iovlen = 2, .msg_control = room, .msg_controllen = sizeof(room)
	};
	ssize_t n;

	/* ECONNRESET says that the other end left words of ours unread; its own may still wait */
	do
		n = recvmsg(fd, &m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	while (n < 0 && (errno == EINTR || errno == ECONNRESET));
	if (n < 0)
		return -errno;
	if (!n)
		return 0;
	ret->n_fds = 0;
	take_fds(&m, ret);
	if ((size_t)n < sizeof(head) || m.msg_flags & (MSG_TRUNC | MSG_CTRUNC) ||
	    head.type >= SAY_COUNT) {
		channel_msg_done(ret);
		return -EPROTO;
	}
	ret->type = head.type;
	ret->number = head.number;
	ret->text[(size_t)n - sizeof(head)] = '\0';
	return 1;
}

int channel_wait(int fd, int timeout_ms, struct channel_msg *ret)
{
	uint64_t end = clock_boot_ms() + (uint64_t)(timeout_ms < 0 ? 0 : timeout_ms);

	for (;;) {
		int r = channel_recv(fd, ret), left = -1;
		struct pollfd p = { .fd = fd, .events = POLLIN };

		if (r != -EAGAIN)
			return r;
		if (timeout_ms >= 0) {
			uint64_t now = clock_boot_ms();

			if (now >= end)
				return -ETIMEDOUT;
			left = (int)(end - now);
		}
		if (poll(&p, 1, left) < 0 && errno != EINTR)
			return -errno;
	}
}

void channel_msg_done(struct channel_msg *m)
{
	for (unsigned int i = 0; i < m->n_fds; i++)
		fd_close(&m->fds[i]);
	m->n_fds = 0;
}
