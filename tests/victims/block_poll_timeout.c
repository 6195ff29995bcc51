/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * block_poll_timeout.c - waits in poll() with a limit that is never reached, and in one that always
 * is
 */
#include "victim.h"

#include <poll.h>
#include <unistd.h>

#define BRIEF_MS 5

static int pipe_[2];

static void wake(void *unused)
{
	CHECK_EQ(write(pipe_[1], "w", 1), 1);
}

int main(void)
{
	struct waker waker;
	struct pollfd p;
	int64_t began;
	char byte;

	NEED(pipe(pipe_) == 0);
	p = (struct pollfd){ pipe_[0], POLLIN, 0 };
	waker = victim_waker(wake, NULL);
	while (victim_round()) {
		victim_wait(&waker);
		CHECK_EQ(poll(&p, 1, 1000 * 1000), 1);
		CHECK_EQ(read(pipe_[0], &byte, 1), 1);
		began = victim_now(CLOCK_MONOTONIC);
		CHECK_EQ(poll(&p, 1, BRIEF_MS), 0);
		CHECK(victim_now(CLOCK_MONOTONIC) - began >= BRIEF_MS * 1000 * 1000);
	}
	victim_waker_end(&waker);
	return victim_end();
}
