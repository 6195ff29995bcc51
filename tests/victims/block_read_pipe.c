/* SPDX-License-Identifier: GPL-2.0-or-later */
/* block_read_pipe.c - waits in read() on an empty pipe until a byte is written */
#include "victim.h"

#include <unistd.h>

static int pipe_[2];

static void wake(void *unused)
{
	CHECK_EQ(write(pipe_[1], "w", 1), 1);
}

int main(void)
{
	struct waker waker;
	char byte;

	NEED(pipe(pipe_) == 0);
	waker = victim_waker(wake, NULL);
	while (victim_round()) {
		victim_wait(&waker);
		byte = 0;
		CHECK_EQ(read(pipe_[0], &byte, 1), 1);
		CHECK_EQ(byte, 'w');
	}
	victim_waker_end(&waker);
	return victim_end();
}
