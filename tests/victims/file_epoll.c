/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * file_epoll.c - epoll by level, by edge and one-shot reports what is ready, with the data it was
 * given
 */
#include "victim.h"

#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

enum {
	LEVEL,
	EDGE,
	ONCE,
	N
};

static int ep, pipes[N][2];

/* which of them are ready now, a bit each */
static unsigned int ready(void)
{
	struct epoll_event e[N + 1];
	unsigned int set = 0;
	int n = epoll_wait(ep, e, N + 1, 0);

	CHECK(n >= 0);
	for (int i = 0; i < n; i++) {
		CHECK_EQ(e[i].data.u64 >> 8, 0x5555);
		CHECK_EQ(e[i].events, EPOLLIN);
		set |= 1U << (e[i].data.u64 & 0xff);
	}
	return set;
}

static void write_all(void)
{
	for (int i = 0; i < N; i++)
		CHECK_EQ(write(pipes[i][1], "x", 1), 1);
}

int main(void)
{
	static const uint32_t modes[N] = { EPOLLIN, EPOLLIN | EPOLLET, EPOLLIN | EPOLLONESHOT };
	struct epoll_event e[N];
	char bytes[8];

	ep = epoll_create1(EPOLL_CLOEXEC);
	NEED(ep >= 0);
	for (int i = 0; i < N; i++) {
		e[i] = (struct epoll_event){ modes[i], { .u64 = 0x555500 | i } };
		NEED(pipe(pipes[i]) == 0 && epoll_ctl(ep, EPOLL_CTL_ADD, pipes[i][0], &e[i]) == 0);
	}
	victim_ready();
	while (victim_round()) {
		CHECK_EQ(ready(), 0);
		write_all();
		CHECK_EQ(ready(), 1 << LEVEL | 1 << EDGE | 1 << ONCE);
		CHECK_EQ(ready(), 1 << LEVEL);
		write_all();
		CHECK_EQ(ready(), 1 << LEVEL | 1 << EDGE);
		for (int i = 0; i < N; i++)
			CHECK_EQ(read(pipes[i][0], bytes, sizeof(bytes)), 2);
		CHECK_EQ(ready(), 0);
		CHECK_EQ(epoll_ctl(ep, EPOLL_CTL_MOD, pipes[ONCE][0], &e[ONCE]), 0);
		CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_ADD, pipes[ONCE][0], &e[ONCE]), EEXIST);
		CHECK_EQ(epoll_ctl(ep, EPOLL_CTL_DEL, pipes[LEVEL][0], NULL), 0);
		write_all();
		CHECK_EQ(ready(), 1 << EDGE | 1 << ONCE);
		for (int i = 0; i < N; i++)
			CHECK_EQ(read(pipes[i][0], bytes, sizeof(bytes)), 1);
		CHECK_EQ(epoll_ctl(ep, EPOLL_CTL_ADD, pipes[LEVEL][0], &e[LEVEL]), 0);
		CHECK_EQ(epoll_ctl(ep, EPOLL_CTL_MOD, pipes[ONCE][0], &e[ONCE]), 0);
	}
	return victim_end();
}
