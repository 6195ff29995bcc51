/* SPDX-License-Identifier: GPL-2.0-or-later */
/* block_poll.c - waits in poll() on ten pipes without a limit until the seventh is ready */
#include "victim.h"

#include <poll.h>
#include <unistd.h>

#define N    10
#define THAT 7

static int pipes[N][2];

static void wake(void *unused)
{
	CHECK_EQ(write(pipes[THAT][1], "w", 1), 1);
}

int main(void)
{
	struct waker waker;
	struct pollfd p[N];
	char byte;

	for (int i = 0; i < N; i++) {
		NEED(pipe(pipes[i]) == 0);
		p[i] = (struct pollfd){ pipes[i][0], POLLIN, 0 };
	}
	waker = victim_waker(wake, NULL);
	while (victim_round()) {
		victim_wait(&waker);
		CHECK_EQ(poll(p, N, -1), 1);
		for (int i = 0; i < N; i++)
			CHECK_EQ(p[i].revents, i == THAT ? POLLIN : 0);
		CHECK_EQ(read(pipes[THAT][0], &byte, 1), 1);
	}
	victim_waker_end(&waker);
	return victim_end();
}
