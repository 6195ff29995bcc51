/* SPDX-License-Identifier: GPL-2.0-or-later */
/* block_flock.c - waits in flock() for a lock that another process holds */
#include "victim.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

static int held[2], mine[2];

/* holds the lock before the victim wants it, and lets go a moment after */
static void hold(void *unused)
{
	int fd = open("file", O_RDWR);
	char byte;

	CHECK_EQ(flock(fd, LOCK_EX), 0);
	CHECK_EQ(write(held[1], "h", 1), 1);
	CHECK_EQ(read(mine[0], &byte, 1), 1);
	victim_await_nudge();
	victim_pause(5 * 1000 * 1000);
	CHECK_EQ(flock(fd, LOCK_UN), 0);
}

int main(void)
{
	int fd;

	victim_scratch();
	fd = open("file", O_RDWR | O_CREAT, 0600);
	NEED(fd >= 0 && pipe(held) == 0 && pipe(mine) == 0);
	while (victim_round()) {
		pid_t holder = victim_child(hold, NULL);
		char byte;

		CHECK_EQ(read(held[0], &byte, 1), 1);
		CHECK_EQ(flock(fd, LOCK_EX | LOCK_NB), -1);
		victim_blocking();
		CHECK_EQ(write(mine[1], "m", 1), 1);
		CHECK_EQ(flock(fd, LOCK_EX), 0);
		CHECK_EQ(flock(fd, LOCK_UN), 0);
		victim_reap(holder);
	}
	return victim_end();
}
