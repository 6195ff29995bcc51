/* SPDX-License-Identifier: GPL-2.0-or-later */
/* block_inotify.c - waits in read() of an inotify descriptor until another process makes a file */
#include "victim.h"

#include <fcntl.h>
#include <sys/inotify.h>
#include <unistd.h>

static void wake(void *unused)
{
	(void)close(open("new", O_CREAT | O_WRONLY, 0600));
}

int main(void)
{
	struct waker waker;
	int fd;

	victim_scratch();
	fd = inotify_init();
	NEED(fd >= 0 && inotify_add_watch(fd, ".", IN_CREATE) >= 0);
	waker = victim_waker(wake, NULL);
	while (victim_round()) {
		union {
			char bytes[512];
			struct inotify_event event;
		} got;

		victim_wait(&waker);
		CHECK(read(fd, got.bytes, sizeof(got)) > (ssize_t)sizeof(got.event));
		CHECK_EQ(got.event.mask, IN_CREATE);
		CHECK_STR(got.event.name, "new");
		CHECK_EQ(unlink("new"), 0);
	}
	victim_waker_end(&waker);
	return victim_end();
}
