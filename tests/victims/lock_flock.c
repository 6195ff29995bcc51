/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lock_flock.c - flock belongs to the open file: it keeps a child's own open out and is shared with
 * a dup
 */
#include "victim.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

/* whether another process can get such a lock now */
static void another(void *want)
{
	int fd = open("file", O_RDWR);

	CHECK(fd >= 0);
	if (*(int *)want == 0)
		CHECK_ERR(flock(fd, LOCK_EX | LOCK_NB), EWOULDBLOCK);
	else
		CHECK_EQ(flock(fd, *(int *)want | LOCK_NB), 0);
}

int main(void)
{
	int fd, none = 0, shared = LOCK_SH, exclusive = LOCK_EX;

	victim_scratch();
	fd = open("file", O_RDWR | O_CREAT, 0600);
	NEED(fd >= 0 && flock(fd, LOCK_EX) == 0);
	victim_ready();
	while (victim_round()) {
		int twin = dup(fd);

		victim_reap(victim_child(another, &none)); /* held since the last round */
		CHECK_EQ(flock(twin, LOCK_SH), 0);
		victim_reap(victim_child(another, &none));
		victim_reap(victim_child(another, &shared));
		CHECK_EQ(flock(twin, LOCK_UN), 0);
		victim_reap(victim_child(another, &exclusive));
		CHECK_EQ(close(twin), 0);
		CHECK_EQ(flock(fd, LOCK_EX | LOCK_NB), 0);
	}
	return victim_end();
}
