/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sock.h - sockets, non-blocking and close-on-exec at birth */
#ifndef OS_SOCK_H
#define OS_SOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "base/err.h"

struct sock_addr {
	struct sockaddr_storage ss;
	socklen_t len;
};

#define SOCK_ADDR_TEXT 64

/** sock_addr_parse() - "10.1.2.3:4660" or "[fd00::1]:4660"; no names are looked up */
int sock_addr_parse(const char *s, struct sock_addr *ret) MUST_CHECK;

/** sock_addr_format() - The same form back; to holds SOCK_ADDR_TEXT bytes */
void sock_addr_format(const struct sock_addr *a, char *to);

/** sock_tcp_listen() - Listen; REUSEADDR is set */
int sock_tcp_listen(const struct sock_addr *a, int *ret_fd, struct err *e) MUST_CHECK;

/** sock_tcp_connect() - Begin to connect; wait for EPOLLOUT, then ask sock_error() */
int sock_tcp_connect(const struct sock_addr *a, int *ret_fd, struct err *e) MUST_CHECK;

/** sock_tcp_alive() - Give a silent peer up after about that time (tcp(7) TCP_USER_TIMEOUT) */
int sock_tcp_alive(int fd, unsigned int ms, struct err *e) MUST_CHECK;

/**
 * sock_tcp_bear() - Do not give up a peer whose reader stands still
 * @fd:		A stream; another kind than TCP never has anything on its way
 * @ms:		As given to sock_tcp_alive()
 *
 * The kernel takes a closed window for silence after TCP_USER_TIMEOUT, though the peer answers each
 * probe. So that timeout holds only while something sent has no answer.
 *
 * Return: is anything on its way? Then come again, several times within @ms
 */
bool sock_tcp_bear(int fd, unsigned int ms);

int sock_udp_bind(const struct sock_addr *a, int *ret_fd, struct err *e) MUST_CHECK;

/**
 * sock_unix_listen() - Listen on a path
 * @path:	A socket file there that nobody serves is replaced; anything else stands:
 * -EADDRINUSE
 * @mode:	Permissions, exact
 * @ret_fd:	Set on success only
 * @e:		Reason
 *
 * Return: 0 or -errno
 */
int sock_unix_listen(const char *path, mode_t mode, int *ret_fd, struct err *e) MUST_CHECK;
int sock_unix_connect(const char *path, int *ret_fd, struct err *e) MUST_CHECK;

/** sock_packet_listen(), sock_packet_connect() - The same with packets, that keep their bounds */
int sock_packet_listen(const char *path, mode_t mode, int *ret_fd, struct err *e) MUST_CHECK;
int sock_packet_connect(const char *path, int *ret_fd, struct err *e) MUST_CHECK;

/** sock_error() - SO_ERROR as 0 or -errno */
int sock_error(int fd) MUST_CHECK;

struct sock_peer {
	pid_t pid;
	uid_t uid;
	gid_t gid;
};

/** sock_peer() - Who made the other end of a Unix socket (SO_PEERCRED, unix(7)) */
int sock_peer(int fd, struct sock_peer *ret, struct err *e) MUST_CHECK;

/** sock_accept() - accept4() with both flags; -EAGAIN when nobody is there */
int sock_accept(int fd, struct sock_addr *ret_from, int *ret_fd) MUST_CHECK;

#endif
