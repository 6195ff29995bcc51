/* SPDX-License-Identifier: GPL-2.0-or-later */
/* block_record_lock.c - waits in fcntl(F_SETLKW) for a range that another process has locked */
#include "victim.h"

#include <fcntl.h>
#include <unistd.h>

static int fd, held[2], mine[2];

static int lock(int command, short type)
{
	struct flock l = { .l_type = type, .l_whence = SEEK_SET, .l_start = 5, .l_len = 5 };

	return fcntl(fd, command, &l);
}

static void hold(void *unused)
{
	char byte;

	CHECK_EQ(lock(F_SETLKW, F_WRLCK), 0);
	CHECK_EQ(write(held[1], "h", 1), 1);
	CHECK_EQ(read(mine[0], &byte, 1), 1);
	victim_await_nudge();
	victim_pause(5 * 1000 * 1000);
	CHECK_EQ(lock(F_SETLK, F_UNLCK), 0);
}

int main(void)
{
	victim_scratch();
	fd = open("file", O_RDWR | O_CREAT, 0600);
	NEED(fd >= 0 && pipe(held) == 0 && pipe(mine) == 0);
	while (victim_round()) {
		pid_t holder = victim_child(hold, NULL);
		char byte;

		CHECK_EQ(read(held[0], &byte, 1), 1);
		CHECK_EQ(lock(F_SETLK, F_RDLCK), -1);
		victim_blocking();
		CHECK_EQ(write(mine[1], "m", 1), 1);
		CHECK_EQ(lock(F_SETLKW, F_RDLCK), 0);
		CHECK_EQ(lock(F_SETLK, F_UNLCK), 0);
		victim_reap(holder);
	}
	return victim_end();
}
