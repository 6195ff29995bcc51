/* SPDX-License-Identifier: GPL-2.0-or-later */
/* proc_umask.c - the mask for new files stays as set and is used */
#include "victim.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

int main(void)
{
	mode_t mask = 022;
	struct stat st;

	victim_scratch();
	(void)umask(mask);
	victim_ready();
	while (victim_round()) {
		mode_t next = (mask * 5 + 1) & 077;
		int fd;

		CHECK_EQ(umask(next), mask);
		mask = next;
		fd = open("file", O_RDWR | O_CREAT | O_EXCL, 0777);
		NEED(fd >= 0 && fstat(fd, &st) == 0);
		CHECK_EQ(st.st_mode & 0777, 0777 & ~mask);
		(void)close(fd);
		CHECK_EQ(unlink("file"), 0);
		CHECK_EQ(mkdir("dir", 0777), 0);
		CHECK_EQ(stat("dir", &st), 0);
		CHECK_EQ(st.st_mode & 0777, 0777 & ~mask);
		CHECK_EQ(rmdir("dir"), 0);
	}
	return victim_end();
}
