/* SPDX-License-Identifier: GPL-2.0-or-later */
/* block_epoll.c - waits in epoll_wait() for an edge on a pipe, which is told once */
#include "victim.h"

#include <sys/epoll.h>
#include <unistd.h>

static int pipe_[2];

static void wake(void *unused)
{
	CHECK_EQ(write(pipe_[1], "w", 1), 1);
}

int main(void)
{
	struct epoll_event e = { EPOLLIN | EPOLLET, { .u64 = 0x123456789abc } }, got[2];
	int ep = epoll_create1(0);
	struct waker waker;

	NEED(ep >= 0 && pipe(pipe_) == 0 && epoll_ctl(ep, EPOLL_CTL_ADD, pipe_[0], &e) == 0);
	waker = victim_waker(wake, NULL);
	while (victim_round()) {
		char byte;

		victim_wait(&waker);
		CHECK_EQ(epoll_wait(ep, got, 2, -1), 1);
		CHECK_EQ(got[0].data.u64, 0x123456789abc);
		CHECK_EQ(epoll_wait(ep, got, 2, 0), 0);
		CHECK_EQ(read(pipe_[0], &byte, 1), 1);
	}
	victim_waker_end(&waker);
	return victim_end();
}
