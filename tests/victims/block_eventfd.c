/* SPDX-License-Identifier: GPL-2.0-or-later */
/* block_eventfd.c - waits in read() of an eventfd that is 0 until something is added */
#include "victim.h"

#include <sys/eventfd.h>
#include <unistd.h>

static int fd;

static void wake(void *unused)
{
	CHECK_EQ(eventfd_write(fd, 7), 0);
}

int main(void)
{
	struct waker waker;
	eventfd_t n;

	fd = eventfd(0, 0);
	NEED(fd >= 0);
	waker = victim_waker(wake, NULL);
	while (victim_round()) {
		victim_wait(&waker);
		CHECK_EQ(eventfd_read(fd, &n), 0);
		CHECK_EQ(n, 7);
	}
	victim_waker_end(&waker);
	return victim_end();
}
