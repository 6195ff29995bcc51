/* SPDX-License-Identifier: GPL-2.0-or-later */
/* block_timerfd.c - waits in read() of a timerfd that another process sets */
#include "victim.h"

#include <sys/timerfd.h>
#include <unistd.h>

static int fd;

static void wake(void *unused)
{
	struct itimerspec brief = { { 0, 0 }, { 0, 1000 * 1000 } };

	CHECK_EQ(timerfd_settime(fd, 0, &brief, NULL), 0);
}

int main(void)
{
	struct waker waker;
	uint64_t n;

	fd = timerfd_create(CLOCK_MONOTONIC, 0);
	NEED(fd >= 0);
	waker = victim_waker(wake, NULL);
	while (victim_round()) {
		victim_wait(&waker);
		CHECK_EQ(read(fd, &n, sizeof(n)), sizeof(n));
		CHECK_EQ(n, 1);
	}
	victim_waker_end(&waker);
	return victim_end();
}
