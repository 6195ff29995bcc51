/* SPDX-License-Identifier: GPL-2.0-or-later */
/* file_inotify.c - inotify tells of each change in a directory, in order, with its name */
#include "victim.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <unistd.h>

static int n_queued;
static char queue[4096], *at;

static void next(int fd, uint32_t mask, const char *name)
{
	struct inotify_event *e;

	if (n_queued <= 0) {
		n_queued = (int)read(fd, queue, sizeof(queue));
		at = queue;
		if (!CHECK(n_queued > 0))
			return;
	}
	e = (struct inotify_event *)(void *)at;
	CHECK_EQ(e->mask, mask);
	CHECK_STR(e->len ? e->name : "", name);
	at += sizeof(*e) + e->len;
	n_queued -= (int)(sizeof(*e) + e->len);
}

int main(void)
{
	int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK), watch;

	victim_scratch();
	NEED(fd >= 0);
	watch = inotify_add_watch(fd, ".", IN_CREATE | IN_CLOSE_WRITE | IN_DELETE | IN_MOVE);
	NEED(watch >= 0);
	victim_ready();
	while (victim_round()) {
		CHECK_EQ(close(open("a", O_CREAT | O_WRONLY, 0600)), 0);
		CHECK_EQ(rename("a", "b"), 0);
		CHECK_EQ(unlink("b"), 0);
		next(fd, IN_CREATE, "a");
		next(fd, IN_CLOSE_WRITE, "a");
		next(fd, IN_MOVED_FROM, "a");
		next(fd, IN_MOVED_TO, "b");
		next(fd, IN_DELETE, "b");
		CHECK_ERR(read(fd, queue, sizeof(queue)), EAGAIN);
	}
	return victim_end();
}
