/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sockets.c - scenarios: sockets and their messages */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/forward/scenarios.h"
#include "tests/fuzz/fuzz.h" /* MUST() */

void scenario_sockets(struct twin *t)
{
	struct sockaddr_in any = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	uint64_t name = P(AT(4096)), len, own = P(AT(8192)), buf = P(AT(65536));
	int64_t l, c, s;

	l = CALL_(socket, AF_INET, SOCK_STREAM, 0);
	CALL_(setsockopt, (uint64_t)l, SOL_SOCKET, SO_REUSEADDR, twin_bytes(t, 0, (int[]){ 1 }, 4),
	      4);
	CALL_(setsockopt, (uint64_t)l, SOL_SOCKET, SO_REUSEADDR, P(t->hole), 4);
	CALL_(bind, (uint64_t)l, twin_bytes(t, 64, &any, sizeof(any)), sizeof(any));
	CALL_(bind, (uint64_t)l, P(AT(64)), 2);
	CALL_(listen, (uint64_t)l, 5);
	len = twin_bytes(t, 128, (int[]){ 128 }, 4);
	(void)QUIET(getsockname, (uint64_t)l, own, len);
	memcpy(&any, AT(8192), sizeof(any));
	twin_forget(t, 8192 + 2, 2); /* the port */
	c = CALL_(socket, AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	(void)QUIET(connect, (uint64_t)c, twin_bytes(t, 64, &any, sizeof(any)), sizeof(any));
	twin_forget(t, 64, sizeof(any));
	len = twin_bytes(t, 128, (int[]){ 9 }, 4); /* cut off */
	s = QUIET(accept, (uint64_t)l, name, len);
	twin_forget(t, 4096 + 2, 2);
	CALL_(getsockopt, (uint64_t)s, SOL_SOCKET, SO_TYPE, name,
	      twin_bytes(t, 128, (int[]){ 4 }, 4));
	CALL_(getsockopt, (uint64_t)s, SOL_SOCKET, SO_TYPE, name,
	      twin_bytes(t, 128, (int[]){ 2 }, 4));
	CALL_(getsockopt, (uint64_t)s, SOL_SOCKET, SO_TYPE, name,
	      twin_bytes(t, 128, (int[]){ -1 }, 4));
	CALL_(getsockopt, (uint64_t)s, SOL_SOCKET, SO_TYPE, P(t->hole),
	      twin_bytes(t, 128, (int[]){ 4 }, 4));
	CALL_(getsockopt, (uint64_t)s, IPPROTO_TCP, TCP_CONGESTION, name,
	      twin_bytes(t, 128, (int[]){ 16 }, 4));
	(void)QUIET(getpeername, (uint64_t)s, name, twin_bytes(t, 128, (int[]){ 128 }, 4));
	twin_forget(t, 4096, 128);
	CALL_(getpeername, (uint64_t)l, name, P(AT(128)));
	CALL_(setsockopt, (uint64_t)s, IPPROTO_TCP, TCP_NODELAY, twin_bytes(t, 0, (int[]){ 1 }, 4),
	      4);
	CALL_(sendto, (uint64_t)c, P(AT(1 << 20)), 50000, 0);
	CALL_(recvfrom, (uint64_t)s, buf, 50000, MSG_WAITALL);
	CALL_(sendto, (uint64_t)c, P(AT(1 << 20)), 100, 0);
	CALL_(recvfrom, (uint64_t)s, buf, 60, MSG_PEEK);
	CALL_(recvfrom, (uint64_t)s, buf, 100, MSG_WAITALL, name, P(AT(128)));
	CALL_(recvfrom, (uint64_t)s, buf, 100, MSG_DONTWAIT);
	CALL_(ioctl, (uint64_t)s, 0x5411, P(AT(256)));
	CALL_(ioctl, (uint64_t)s, 0x8905, P(AT(256)));
	CALL_(shutdown, (uint64_t)c, SHUT_WR);
	CALL_(read, (uint64_t)s, buf, 10);
	CALL_(close, (uint64_t)s);
	c = CALL_(close, (uint64_t)c);
	CALL_(accept4, (uint64_t)l, 0, 0, 0xffff);
	CALL_(close, (uint64_t)l);
}

/* a connected pair; its numbers are in the arena at 0 */
static void make_pair(struct twin *t, int type, int fds[2])
{
	CALL_(socketpair, AF_UNIX, (uint64_t)type, 0, P(AT(0)));
	memcpy(fds, AT(0), 2 * sizeof(int));
}

void scenario_datagrams(struct twin *t)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX, .sun_path = "sock" };
	uint64_t to = twin_bytes(t, 64, &un, sizeof(un)), buf = P(AT(65536)), from = P(AT(512));
	int64_t a, b;
	int p[2];

	twin_enter_scratch();
	a = CALL_(socket, AF_UNIX, SOCK_DGRAM, 0);
	b = CALL_(socket, AF_UNIX, SOCK_DGRAM, 0);
	CALL_(bind, (uint64_t)a, to, sizeof(un));
	CALL_(sendto, (uint64_t)b, P(AT(1 << 20)), 1000, 0, to, sizeof(un));
	CALL_(sendto, (uint64_t)b, P(AT(1 << 20)), 0, 0, to, sizeof(un));
	CALL_(sendto, (uint64_t)b, P(AT(1 << 20)), 200000, 0, to, sizeof(un)); /* in one piece */
	CALL_(sendto, (uint64_t)b, P(AT(1 << 20)), 1 << 20, 0, to, sizeof(un));
	CALL_(sendto, (uint64_t)b, P(t->hole), 10, 0, to, sizeof(un));
	CALL_(sendto, (uint64_t)b, P(AT(1 << 20)), 10, 0, to, 1000);
	CALL_(sendto, (uint64_t)b, P(AT(1 << 20)), 10, 0, P(t->hole), 20);
	CALL_(recvfrom, (uint64_t)a, buf, 500, MSG_TRUNC, from,
	      twin_bytes(t, 32, (int[]){ 110 }, 4));
	CALL_(recvfrom, (uint64_t)a, buf, 500, 0, from, P(AT(32)));
	CALL_(recvfrom, (uint64_t)a, buf, 1 << 20, 0, from, P(AT(32)));
	CALL_(recvfrom, (uint64_t)a, buf, 500, MSG_DONTWAIT, from, P(AT(32)));
	CALL_(connect, (uint64_t)b, to, sizeof(un));
	CALL_(write, (uint64_t)b, P(AT(1 << 20)), 150000);
	CALL_(read, (uint64_t)a, buf, 1 << 20);
	CALL_(close, (uint64_t)a);
	CALL_(close, (uint64_t)b);
	CALL_(unlink, twin_text(t, 64, "sock"));
	make_pair(t, SOCK_SEQPACKET, p);
	CALL_(write, (uint64_t)p[0], P(AT(1 << 20)), 100);
	CALL_(read, (uint64_t)p[1], buf, 10);
	CALL_(close, (uint64_t)p[0]);
	CALL_(read, (uint64_t)p[1], buf, 10);
	CALL_(write, (uint64_t)p[1], buf, 0);
	CALL_(close, (uint64_t)p[1]);
}

/* a msghdr at 1024, its iovec at 2048, control at 3072 */
static uint64_t make_message(struct twin *t, size_t parts, size_t each, size_t control, void *name,
			     uint32_t namelen)
{
	struct iovec v[64];
	struct msghdr h;

	memset(&h, 0, sizeof(h)); /* its gaps as well: they are compared */
	h.msg_name = name;
	h.msg_namelen = namelen;
	h.msg_iov = AT(2048);
	h.msg_iovlen = parts;
	h.msg_control = control ? AT(3072) : NULL;
	h.msg_controllen = control;
	h.msg_flags = 0x55;
	for (size_t i = 0; i < parts && i < ARRAY_LEN(v); i++)
		v[i] = (struct iovec){ AT(65536 + i * 5000), each };
	(void)twin_bytes(t, 2048, v, (parts < 64 ? parts : 64) * sizeof(v[0]));
	return twin_bytes(t, 1024, &h, sizeof(h));
}

static void put_descriptor(struct twin *t, int fd)
{
	struct cmsghdr c = { .cmsg_len = CMSG_LEN(sizeof(int)),
			     .cmsg_level = SOL_SOCKET,
			     .cmsg_type = SCM_RIGHTS };

	(void)twin_bytes(t, 3072, &c, sizeof(c));
	(void)twin_bytes(t, 3072 + sizeof(c), &fd, sizeof(fd));
}

void scenario_messages(struct twin *t)
{
	int p[2], fd;

	make_pair(t, SOCK_STREAM, p);
	CALL_(sendmsg, (uint64_t)p[0], make_message(t, 10, 77, 0, NULL, 0), 0);
	CALL_(recvmsg, (uint64_t)p[1], make_message(t, 7, 90, 0, NULL, 0), 0);
	CALL_(recvmsg, (uint64_t)p[1], make_message(t, 7, 90, 100, AT(512), 50), MSG_DONTWAIT);
	CALL_(recvmsg, (uint64_t)p[1], make_message(t, 7, 90, 100, AT(512), 50), MSG_DONTWAIT);
	put_descriptor(t, p[0]);
	CALL_(sendmsg, (uint64_t)p[0], make_message(t, 1, 5, CMSG_SPACE(sizeof(int)), NULL, 0), 0);
	CALL_(recvmsg, (uint64_t)p[1], make_message(t, 2, 90, 100, NULL, 0), MSG_CMSG_CLOEXEC);
	memcpy(&fd, AT(3072 + sizeof(struct cmsghdr)), sizeof(fd));
	CALL_(fcntl, (uint64_t)fd, F_GETFD);
	CALL_(close, (uint64_t)fd);
	put_descriptor(t, p[0]);
	CALL_(sendmsg, (uint64_t)p[0], make_message(t, 1, 5, CMSG_SPACE(sizeof(int)), NULL, 0), 0);
	CALL_(recvmsg, (uint64_t)p[1], make_message(t, 2, 90, 10, NULL, 0), 0); /* control is cut */
	put_descriptor(t, 777);							/* is not open */
	CALL_(sendmsg, (uint64_t)p[0], make_message(t, 1, 5, CMSG_SPACE(sizeof(int)), NULL, 0), 0);
	CALL_(setsockopt, (uint64_t)p[1], SOL_SOCKET, SO_PASSCRED,
	      twin_bytes(t, 32, (int[]){ 1 }, 4), 4);
	CALL_(sendmsg, (uint64_t)p[0], make_message(t, 1, 5, 0, NULL, 0), 0);
	CALL_(recvmsg, (uint64_t)p[1], make_message(t, 2, 90, 100, NULL, 0), 0);
	CALL_(sendmsg, (uint64_t)p[0], make_message(t, 2000, 5, 0, NULL, 0), 0);
	CALL_(sendmsg, (uint64_t)p[0], P(t->hole), 0);
	CALL_(recvmsg, (uint64_t)p[0], P(t->hole), 0);
	CALL_(sendmsg, (uint64_t)p[0], make_message(t, 1, (size_t)-1, 0, NULL, 0), 0);
	CALL_(sendmsg, (uint64_t)p[0], make_message(t, 0, 0, 0, NULL, 0), 0);
	CALL_(sendmsg, 700, make_message(t, 1, 5, 0, NULL, 0), 0);
	CALL_(close, (uint64_t)p[0]);
	CALL_(close, (uint64_t)p[1]);
}

/* n struct mmsghdr at 8192, each of one part */
static uint64_t make_many(struct twin *t, size_t n, size_t each)
{
	struct mmsghdr m[8] = { 0 };
	struct iovec v[8] = { 0 };

	for (size_t i = 0; i < n; i++) {
		v[i] = (struct iovec){ AT(65536 + i * 1000), each + i };
		m[i].msg_hdr.msg_iov = (struct iovec *)AT(12288) + i;
		m[i].msg_hdr.msg_iovlen = 1;
		m[i].msg_len = 99;
	}
	(void)twin_bytes(t, 12288, v, sizeof(v));
	return twin_bytes(t, 8192, m, sizeof(m));
}

void scenario_many_messages(struct twin *t)
{
	int p[2];

	make_pair(t, SOCK_DGRAM, p);
	CALL_(sendmmsg, (uint64_t)p[0], make_many(t, 5, 20), 5, 0);
	CALL_(recvmmsg, (uint64_t)p[1], make_many(t, 3, 100), 3, 0, 0);
	CALL_(recvmmsg, (uint64_t)p[1], make_many(t, 3, 100), 3, MSG_WAITFORONE, 0);
	CALL_(recvmmsg, (uint64_t)p[1], make_many(t, 3, 100), 3, MSG_DONTWAIT, 0);
	CALL_(sendmmsg, (uint64_t)p[0], make_many(t, 5, 20), 0, 0);
	CALL_(sendmmsg, (uint64_t)p[0], P(t->hole), 2, 0);
	CALL_(recvmmsg, (uint64_t)p[1], make_many(t, 3, 100), 3, 0,
	      twin_bytes(t, 300, (int64_t[]){ 0, -1 }, 16));
	CALL_(close, (uint64_t)p[1]);
	CALL_(sendmmsg, (uint64_t)p[0], make_many(t, 5, 20), 5, MSG_NOSIGNAL);
	CALL_(close, (uint64_t)p[0]);
}
