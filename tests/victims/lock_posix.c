/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lock_posix.c - POSIX record locks belong to the process: ranges split and merge, others see who
 * holds them
 */
#include "victim.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static int fd;

static int lock(short type, off_t from, off_t len)
{
	struct flock l = { .l_type = type, .l_whence = SEEK_SET, .l_start = from, .l_len = len };

	return fcntl(fd, F_SETLK, &l);
}

/* what keeps another process from writing at an offset */
static void check_holder(off_t at, pid_t holder, off_t from, off_t len)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = at, .l_len = 1 };

	CHECK_EQ(fcntl(fd, F_GETLK, &l), 0);
	CHECK_EQ(l.l_type, holder ? F_WRLCK : F_UNLCK);
	if (holder) {
		CHECK_EQ(l.l_pid, holder);
		CHECK_EQ(l.l_start, from);
		CHECK_EQ(l.l_len, len);
		CHECK_ERR(lock(F_RDLCK, at, 1), EAGAIN);
	}
}

static void see_split(void *parent)
{
	check_holder(5, *(pid_t *)parent, 0, 40);
	check_holder(45, 0, 0, 0);
	check_holder(95, *(pid_t *)parent, 60, 40);
}

static void see_whole(void *parent)
{
	check_holder(50, *(pid_t *)parent, 0, 100);
}

int main(void)
{
	pid_t me = getpid();
	int other;

	victim_scratch();
	fd = open("file", O_RDWR | O_CREAT, 0600);
	NEED(fd >= 0 && lock(F_WRLCK, 0, 100) == 0);
	victim_ready();
	while (victim_round()) {
		victim_reap(victim_child(see_whole, &me)); /* held since the last round */
		CHECK_EQ(lock(F_UNLCK, 40, 20), 0);
		victim_reap(victim_child(see_split, &me));
		CHECK_EQ(lock(F_WRLCK, 40, 20), 0);
		/* the well-known trap: closing any descriptor of the file drops all of them */
		other = open("file", O_RDONLY);
		CHECK_EQ(close(other), 0);
		CHECK_EQ(lock(F_WRLCK, 0, 100), 0);
	}
	return victim_end();
}
