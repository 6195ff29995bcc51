/* SPDX-License-Identifier: GPL-2.0-or-later */
/* file_tmpfile.c - a file without a name (O_TMPFILE) holds its bytes, and gets a name by linkat */
#include "victim.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define SIZE 5000

static unsigned char bytes[SIZE];

int main(void)
{
	char link_[64];
	struct stat st;
	uint64_t seed = 1;
	int fd;

	victim_scratch();
	fd = open(".", O_TMPFILE | O_RDWR, 0600);
	if (fd < 0 && errno == EOPNOTSUPP)
		victim_skip("this file system has no O_TMPFILE");
	NEED(fd >= 0);
	victim_fill(bytes, SIZE, seed);
	NEED(write(fd, bytes, SIZE) == SIZE);
	victim_ready();
	while (victim_round()) {
		CHECK_EQ(fstat(fd, &st), 0);
		CHECK_EQ(st.st_nlink, 0);
		CHECK_EQ(pread(fd, bytes, SIZE, 0), SIZE);
		CHECK(victim_is(bytes, SIZE, seed));
		(void)snprintf(link_, sizeof(link_), "/proc/self/fd/%d", fd);
		CHECK_EQ(linkat(AT_FDCWD, link_, AT_FDCWD, "named", AT_SYMLINK_FOLLOW), 0);
		CHECK_EQ(stat("named", &st), 0);
		CHECK_EQ(st.st_nlink, 1);
		CHECK_EQ(st.st_size, SIZE);
		CHECK_EQ(unlink("named"), 0);
		CHECK_EQ(close(fd), 0);
		fd = open(".", O_TMPFILE | O_RDWR, 0600);
		NEED(fd >= 0);
		victim_fill(bytes, SIZE, ++seed);
		CHECK_EQ(write(fd, bytes, SIZE), SIZE);
	}
	return victim_end();
}
