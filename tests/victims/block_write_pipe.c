/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * block_write_pipe.c - waits in write() on a full pipe until it is read, and no byte is lost or
 * written twice
 */
#include "victim.h"

#include <fcntl.h>
#include <unistd.h>

#define FULL 4096
#define MORE 3000

static int pipe_[2];

/* empties it: what filled it, and what the writer waits with */
static void wake(void *unused)
{
	unsigned char bytes[FULL + MORE];
	size_t n = 0;

	while (n < sizeof(bytes)) {
		ssize_t m = read(pipe_[0], bytes + n, sizeof(bytes) - n);

		if (!CHECK(m > 0))
			return;
		n += (size_t)m;
	}
	CHECK(victim_is(bytes, FULL, 1));
	CHECK(victim_is(bytes + FULL, MORE, 2));
}

int main(void)
{
	unsigned char full[FULL], more[MORE];
	struct waker waker;

	victim_fill(full, FULL, 1);
	victim_fill(more, MORE, 2);
	NEED(pipe(pipe_) == 0 && fcntl(pipe_[1], F_SETPIPE_SZ, FULL) == FULL);
	waker = victim_waker(wake, NULL);
	while (victim_round()) {
		CHECK_EQ(write(pipe_[1], full, FULL), FULL);
		victim_wait(&waker);
		CHECK_EQ(write(pipe_[1], more, MORE), MORE);
	}
	victim_waker_end(&waker);
	return victim_end();
}
