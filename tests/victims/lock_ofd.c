/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lock_ofd.c - open-file-description locks exclude a second open of the same process and stay with
 * a dup
 */
#include "victim.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static int lock(int fd, short type)
{
	struct flock l = { .l_type = type, .l_whence = SEEK_SET, .l_start = 10, .l_len = 10 };

	return fcntl(fd, F_OFD_SETLK, &l);
}

int main(void)
{
	int a, b;

	victim_scratch();
	a = open("file", O_RDWR | O_CREAT, 0600);
	b = open("file", O_RDWR);
	NEED(a >= 0 && b >= 0 && lock(a, F_WRLCK) == 0);
	victim_ready();
	while (victim_round()) {
		struct flock l = {
			.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 100
		};
		int twin = dup(a);

		CHECK_ERR(lock(b, F_WRLCK), EAGAIN);
		CHECK_EQ(fcntl(b, F_OFD_GETLK, &l), 0);
		CHECK_EQ(l.l_type, F_WRLCK);
		CHECK_EQ(l.l_start, 10);
		CHECK_EQ(l.l_pid, -1);
		CHECK_EQ(close(a), 0);
		CHECK_ERR(lock(b, F_WRLCK), EAGAIN);
		CHECK_EQ(close(twin), 0);
		CHECK_EQ(lock(b, F_WRLCK), 0);
		a = b;
		b = open("file", O_RDWR);
		NEED(b >= 0);
	}
	return victim_end();
}
