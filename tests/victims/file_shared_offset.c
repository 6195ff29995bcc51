/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * file_shared_offset.c - dup and fork share one offset and one set of flags, a second open has its
 * own
 */
#include "victim.h"

#include <fcntl.h>
#include <unistd.h>

static int fd;

static void advance(void *unused)
{
	CHECK_EQ(lseek(fd, 5, SEEK_CUR) % 5, 0);
	CHECK(fcntl(fd, F_GETFL) & O_APPEND);
}

int main(void)
{
	int twin, other;
	off_t at = 0;

	victim_scratch();
	fd = open("file", O_RDWR | O_CREAT, 0600);
	NEED(fd >= 0 && ftruncate(fd, 1 << 20) == 0);
	twin = dup(fd);
	other = open("file", O_RDWR);
	NEED(twin >= 0 && other >= 0);
	victim_ready();
	while (victim_round()) {
		CHECK_EQ(lseek(twin, 0, SEEK_CUR), at);
		CHECK_EQ(lseek(fd, 5, SEEK_CUR), at + 5);
		CHECK_EQ(lseek(twin, 0, SEEK_CUR), at + 5);
		CHECK_EQ(fcntl(twin, F_SETFL, O_APPEND), 0);
		victim_reap(victim_child(advance, NULL));
		at += 10;
		CHECK_EQ(lseek(fd, 0, SEEK_CUR), at);
		CHECK_EQ(lseek(other, 0, SEEK_CUR), 0);
		CHECK_EQ(fcntl(other, F_GETFL) & O_APPEND, 0);
		CHECK_EQ(fcntl(fd, F_SETFL, 0), 0);
		CHECK_EQ(fcntl(fd, F_GETFD), 0);
		CHECK_EQ(fcntl(twin, F_SETFD, FD_CLOEXEC), 0);
		CHECK_EQ(fcntl(fd, F_GETFD), 0);
		CHECK_EQ(fcntl(twin, F_GETFD), FD_CLOEXEC);
	}
	return victim_end();
}
