/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * file_descriptors.c - the lowest free number is given, high ones are kept, dup2 replaces,
 * close_range closes
 */
#include "victim.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define HIGH 1000

int main(void)
{
	struct rlimit l;
	int fd, a, b;

	NEED(getrlimit(RLIMIT_NOFILE, &l) == 0);
	l.rlim_cur = l.rlim_max < 2000 ? l.rlim_max : 2000;
	NEED(l.rlim_cur > HIGH + 10 && setrlimit(RLIMIT_NOFILE, &l) == 0);
	fd = open("/dev/zero", O_RDONLY);
	NEED(fd >= 0 && dup2(fd, HIGH) == HIGH);
	victim_ready();
	while (victim_round()) {
		char byte = 1;

		CHECK_EQ(read(HIGH, &byte, 1), 1);
		CHECK_EQ(byte, 0);
		a = dup(fd);
		b = dup(fd);
		CHECK_EQ(b, a + 1);
		CHECK_EQ(close(a), 0);
		CHECK_EQ(dup(fd), a);
		CHECK_EQ(fcntl(fd, F_DUPFD_CLOEXEC, 500), 500);
		CHECK_EQ(fcntl(500, F_GETFD), FD_CLOEXEC);
		CHECK_EQ(dup2(fd, 500), 500);
		CHECK_EQ(fcntl(500, F_GETFD), 0);
		CHECK_ERR(dup3(fd, fd, 0), EINVAL);
		CHECK_EQ(dup2(fd, fd), fd);
		CHECK_ERR(dup2(499, 500), EBADF);
		CHECK_EQ(dup2(fd, 501), 501);
		CHECK_EQ(syscall(SYS_close_range, 500, 502, 0), 0);
		CHECK_ERR(fcntl(500, F_GETFD), EBADF);
		CHECK_ERR(fcntl(501, F_GETFD), EBADF);
		CHECK_EQ(fcntl(HIGH, F_GETFD), 0);
		CHECK_EQ(close(a), 0);
		CHECK_EQ(close(b), 0);
		CHECK_ERR(close(b), EBADF);
	}
	return victim_end();
}
