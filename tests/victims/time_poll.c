/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * time_poll.c - poll, ppoll, select, pselect and epoll_wait end with 0 when their time is over and
 * not before
 */
#include "victim.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <unistd.h>

#define BRIEF_MS 2

int main(void)
{
	int pipe_[2], ep = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event event = { .events = EPOLLIN };
	const struct timespec brief = { 0, BRIEF_MS * 1000 * 1000 };

	NEED(pipe(pipe_) == 0 && ep >= 0);
	NEED(epoll_ctl(ep, EPOLL_CTL_ADD, pipe_[0], &event) == 0);
	victim_ready();
	while (victim_round())
		for (int way = 0; way < 5; way++) {
			int64_t began = victim_now(CLOCK_MONOTONIC);
			struct pollfd p = { pipe_[0], POLLIN, 0 };
			struct timeval tv = { 0, BRIEF_MS * 1000 };
			int r = -1;
			fd_set set;

			FD_ZERO(&set);
			FD_SET(pipe_[0], &set);
			switch (way) {
			case 0:
				r = poll(&p, 1, BRIEF_MS);
				break;
			case 1:
				r = ppoll(&p, 1, &brief, NULL);
				break;
			case 2:
				r = select(pipe_[0] + 1, &set, NULL, NULL, &tv);
				break;
			case 3:
				r = pselect(pipe_[0] + 1, &set, NULL, NULL, &brief, NULL);
				break;
			default:
				r = epoll_wait(ep, &event, 1, BRIEF_MS);
			}
			CHECK_EQ(r, 0);
			CHECK(victim_now(CLOCK_MONOTONIC) - began >= brief.tv_nsec);
		}
	return victim_end();
}
