/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * block_select.c - waits in select() until one of its descriptors is ready, and only that one is
 * told
 */
#include "victim.h"

#include <sys/select.h>
#include <unistd.h>

static int a[2], b[2];

static void wake(void *unused)
{
	CHECK_EQ(write(b[1], "w", 1), 1);
}

int main(void)
{
	struct waker waker;
	char byte;

	NEED(pipe(a) == 0 && pipe(b) == 0);
	waker = victim_waker(wake, NULL);
	while (victim_round()) {
		fd_set set;

		FD_ZERO(&set);
		FD_SET(a[0], &set);
		FD_SET(b[0], &set);
		victim_wait(&waker);
		CHECK_EQ(select((a[0] > b[0] ? a[0] : b[0]) + 1, &set, NULL, NULL, NULL), 1);
		CHECK(!FD_ISSET(a[0], &set) && FD_ISSET(b[0], &set));
		CHECK_EQ(read(b[0], &byte, 1), 1);
	}
	victim_waker_end(&waker);
	return victim_end();
}
