/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sock.c - sockets, non-blocking and close-on-exec at birth */
#include "os/sock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/parse.h"
#include "os/fd.h"

#define SOCK_TYPE_FLAGS (SOCK_NONBLOCK | SOCK_CLOEXEC)
#define LISTEN_BACKLOG	256

int sock_addr_parse(const char *s, struct sock_addr *ret)
{
	const char *colon = strrchr(s, ':');
	struct sock_addr a = { 0 };
	char host[INET6_ADDRSTRLEN];
	uint32_t port;
	size_t len;

	if (!colon || parse_u32(colon + 1, &port) < 0 || port > 65535)
		return -EINVAL;
	len = (size_t)(colon - s);
	if (s[0] == '[') {
		struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&a.ss;

		if (len < 3 || s[len - 1] != ']' || len - 2 >= sizeof(host))
			return -EINVAL;
		memcpy(host, s + 1, len - 2);
		host[len - 2] = '\0';
		if (inet_pton(AF_INET6, host, &in6->sin6_addr) != 1)
			return -EINVAL;
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons((uint16_t)port);
		a.len = sizeof(*in6);
	} else {
		struct sockaddr_in *in = (struct sockaddr_in *)&a.ss;

		if (!len || len >= sizeof(host))
			return -EINVAL;
		memcpy(host, s, len);
		host[len] = '\0';
		if (inet_pton(AF_INET, host, &in->sin_addr) != 1)
			return -EINVAL;
		in->sin_family = AF_INET;
		in->sin_port = htons((uint16_t)port);
		a.len = sizeof(*in);
	}
	*ret = a;
	return 0;
}

void sock_addr_format(const struct sock_addr *a, char *to)
{
	char host[INET6_ADDRSTRLEN] = "?";

	if (a->ss.ss_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&a->ss;

		(void)inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host)); /* "?" stays */
		(void)snprintf(to, SOCK_ADDR_TEXT, "[%s]:%u", host, ntohs(in6->sin6_port));
	} else if (a->ss.ss_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)&a->ss;

		(void)inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host));
		(void)snprintf(to, SOCK_ADDR_TEXT, "%s:%u", host, ntohs(in->sin_port));
	} else {
		(void)snprintf(to, SOCK_ADDR_TEXT, "none");
	}
}

static int bind_inet(const struct sock_addr *a, int type, int *ret_fd, struct err *e)
{
	AUTO_CLOSE int fd = socket(a->ss.ss_family, type | SOCK_TYPE_FLAGS, 0);
	char text[SOCK_ADDR_TEXT];
	int one = 1;

	sock_addr_format(a, text);
	if (fd < 0)
		return err_set(e, -errno, "socket: %s", strerror(errno));
	if (type == SOCK_STREAM && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0)
		return err_set(e, -errno, "SO_REUSEADDR: %s", strerror(errno));
	if (bind(fd, (const struct sockaddr *)&a->ss, a->len) < 0)
		return err_set(e, -errno, "bind %s: %s", text, strerror(errno));
	*ret_fd = fd_take(&fd);
	return 0;
}

int sock_tcp_listen(const struct sock_addr *a, int *ret_fd, struct err *e)
{
	AUTO_CLOSE int fd = -1;
	int r = bind_inet(a, SOCK_STREAM, &fd, e);

	if (r < 0)
		return r;
	if (listen(fd, LISTEN_BACKLOG) < 0)
		return err_set(e, -errno, "listen: %s", strerror(errno));
	*ret_fd = fd_take(&fd);
	return 0;
}

int sock_tcp_alive(int fd, unsigned int ms, struct err *e)
{
	const struct {
		int level, name, value;
	} opts[] = {
		/* unanswered data is covered by the user timeout, an idle stream by the probes */
		{ IPPROTO_TCP, TCP_USER_TIMEOUT, (int)ms },
		{ IPPROTO_TCP, TCP_KEEPIDLE, (int)(ms / 2000 ? ms / 2000 : 1) },
		{ IPPROTO_TCP, TCP_KEEPINTVL, (int)(ms / 4000 ? ms / 4000 : 1) },
		{ IPPROTO_TCP, TCP_KEEPCNT, 2 },
		{ SOL_SOCKET, SO_KEEPALIVE, 1 },
	};

	for (size_t i = 0; i < ARRAY_LEN(opts); i++)
		if (setsockopt(fd, opts[i].level, opts[i].name, &opts[i].value,
			       sizeof(opts[i].value)) < 0)
			return err_set(e, -errno, "set a TCP timeout: %s", strerror(errno));
	return 0;
}

bool sock_tcp_bear(int fd, unsigned int ms)
{
	struct tcp_info info = { 0 };
	socklen_t len = sizeof(info);
	int waiting = 0, value;

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0 ||
	    ioctl(fd, SIOCOUTQ, &waiting) < 0)
		return false;
	/* all that was sent has its answer, and yet there is more: the window is closed */
	value = waiting && !info.tcpi_unacked ? 0 : (int)ms;
	/* of a stream that is just breaking nothing can be set, nor need it */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &value, sizeof(value));
	return waiting > 0;
}

int sock_udp_bind(const struct sock_addr *a, int *ret_fd, struct err *e)
{
	return bind_inet(a, SOCK_DGRAM, ret_fd, e);
}

int sock_tcp_connect(const struct sock_addr *a, int *ret_fd, struct err *e)
{
	AUTO_CLOSE int fd = socket(a->ss.ss_family, SOCK_STREAM | SOCK_TYPE_FLAGS, 0);
	char text[SOCK_ADDR_TEXT];
	int one = 1;

	if (fd < 0)
		return err_set(e, -errno, "socket: %s", strerror(errno));
	/* small frames must not wait for the ack of the one before */
	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) < 0)
		return err_set(e, -errno, "TCP_NODELAY: %s", strerror(errno));
	if (connect(fd, (const struct sockaddr *)&a->ss, a->len) < 0 && errno != EINPROGRESS) {
		int r = -errno;

		sock_addr_format(a, text);
		return err_set(e, r, "connect to %s: %s", text, strerror(-r));
	}
	*ret_fd = fd_take(&fd);
	return 0;
}

static int unix_addr(const char *path, struct sockaddr_un *ret, struct err *e)
{
	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof(ret->sun_path))
		return err_set(e, -ENAMETOOLONG, "socket path too long: '%s'", path);
	memcpy(ret->sun_path, path, strlen(path) + 1);
	return 0;
}

/* make room for a socket: only a socket file that nobody serves any more may go */
static int remove_stale(const char *path, const struct sockaddr_un *un, int type, struct err *e)
{
	AUTO_CLOSE int probe = -1;
	struct stat st;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0
				       : err_set(e, -errno, "stat '%s': %s", path, strerror(errno));
	if (!S_ISSOCK(st.st_mode))
		return err_set(e, -EADDRINUSE, "'%s' is in the way and is no socket; move it",
			       path);
	probe = socket(AF_UNIX, type | SOCK_TYPE_FLAGS, 0);
	if (probe < 0)
		return err_set(e, -errno, "socket: %s", strerror(errno));
	if (connect(probe, (const struct sockaddr *)un, sizeof(*un)) == 0 || errno != ECONNREFUSED)
		return err_set(e, -EADDRINUSE, "'%s' is served already; stop that program first",
			       path);
	if (unlink(path) < 0 && errno != ENOENT)
		return err_set(e, -errno, "unlink '%s': %s", path, strerror(errno));
	return 0;
}

static int listen_at(const char *path, int type, mode_t mode, int *ret_fd, struct err *e)
{
	AUTO_CLOSE int fd = socket(AF_UNIX, type | SOCK_TYPE_FLAGS, 0);
	struct sockaddr_un un;
	int r = unix_addr(path, &un, e);

	if (r < 0)
		return r;
	if (fd < 0)
		return err_set(e, -errno, "socket: %s", strerror(errno));
	r = remove_stale(path, &un, type, e);
	if (r < 0)
		return r;
	if (bind(fd, (struct sockaddr *)&un, sizeof(un)) < 0)
		return err_set(e, -errno, "bind '%s': %s", path, strerror(errno));
	if (chmod(path, mode) < 0 || listen(fd, LISTEN_BACKLOG) < 0) {
		r = -errno;
		(void)unlink(path); /* the reason is the first failure */
		return err_set(e, r, "listen on '%s': %s", path, strerror(-r));
	}
	*ret_fd = fd_take(&fd);
	return 0;
}

static int connect_to(const char *path, int type, int *ret_fd, struct err *e)
{
	AUTO_CLOSE int fd = socket(AF_UNIX, type | SOCK_TYPE_FLAGS, 0);
	struct sockaddr_un un;
	int r = unix_addr(path, &un, e);

	if (r < 0)
		return r;
	if (fd < 0)
		return err_set(e, -errno, "socket: %s", strerror(errno));
	if (connect(fd, (struct sockaddr *)&un, sizeof(un)) < 0)
		return err_set(e, -errno, "connect to '%s': %s", path, strerror(errno));
	*ret_fd = fd_take(&fd);
	return 0;
}

int sock_unix_listen(const char *path, mode_t mode, int *ret_fd, struct err *e)
{
	return listen_at(path, SOCK_STREAM, mode, ret_fd, e);
}

int sock_unix_connect(const char *path, int *ret_fd, struct err *e)
{
	return connect_to(path, SOCK_STREAM, ret_fd, e);
}

int sock_packet_listen(const char *path, mode_t mode, int *ret_fd, struct err *e)
{
	return listen_at(path, SOCK_SEQPACKET, mode, ret_fd, e);
}

int sock_packet_connect(const char *path, int *ret_fd, struct err *e)
{
	return connect_to(path, SOCK_SEQPACKET, ret_fd, e);
}

int sock_error(int fd)
{
	int v = 0;
	socklen_t len = sizeof(v);

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &v, &len) < 0)
		return -errno;
	return -v;
}

int sock_peer(int fd, struct sock_peer *ret, struct err *e)
{
	struct ucred c;
	socklen_t len = sizeof(c);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &c, &len) < 0)
		return err_set(e, -errno, "SO_PEERCRED: %s", strerror(errno));
	*ret = (struct sock_peer){ .pid = c.pid, .uid = c.uid, .gid = c.gid };
	return 0;
}

int sock_accept(int fd, struct sock_addr *ret_from, int *ret_fd)
{
	struct sock_addr from = { .len = sizeof(from.ss) };
	int one = 1;
	int s;

	s = accept4(fd, (struct sockaddr *)&from.ss, &from.len, SOCK_TYPE_FLAGS);
	if (s < 0)
		return -errno;
	/* not for Unix sockets: they say no, and need it not */
	(void)setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (ret_from)
		*ret_from = from;
	*ret_fd = s;
	return 0;
}
