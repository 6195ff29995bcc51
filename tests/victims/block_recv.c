/* SPDX-License-Identifier: GPL-2.0-or-later */
/* block_recv.c - waits in recv() for all of a message whose halves come apart */
#include "victim.h"

#include <sys/socket.h>
#include <unistd.h>

#define HALF 1000

static int pair[2];

static void wake(void *unused)
{
	unsigned char bytes[2 * HALF];

	victim_fill(bytes, sizeof(bytes), 1);
	CHECK_EQ(send(pair[1], bytes, HALF, 0), HALF);
	victim_pause(2 * 1000 * 1000);
	CHECK_EQ(send(pair[1], bytes + HALF, HALF, 0), HALF);
}

int main(void)
{
	unsigned char got[2 * HALF];
	struct waker waker;

	NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	waker = victim_waker(wake, NULL);
	while (victim_round()) {
		victim_wait(&waker);
		CHECK_EQ(recv(pair[0], got, sizeof(got), MSG_WAITALL), sizeof(got));
		CHECK(victim_is(got, sizeof(got), 1));
	}
	victim_waker_end(&waker);
	return victim_end();
}
