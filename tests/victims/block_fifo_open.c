/* SPDX-License-Identifier: GPL-2.0-or-later */
/* block_fifo_open.c - waits in open() of a named pipe until its other end is opened */
#include "victim.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static void wake(void *unused)
{
	int fd = open("fifo", O_WRONLY);

	CHECK_EQ(write(fd, "w", 1), 1);
	CHECK_EQ(close(fd), 0);
}

int main(void)
{
	struct waker waker;
	char byte;

	victim_scratch();
	NEED(mkfifo("fifo", 0600) == 0);
	waker = victim_waker(wake, NULL);
	while (victim_round()) {
		int fd;

		victim_wait(&waker);
		fd = open("fifo", O_RDONLY);
		CHECK(fd >= 0);
		CHECK_EQ(read(fd, &byte, 1), 1);
		CHECK_EQ(read(fd, &byte, 1), 0);
		CHECK_EQ(close(fd), 0);
	}
	victim_waker_end(&waker);
	return victim_end();
}
