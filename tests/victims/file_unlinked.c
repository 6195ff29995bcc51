/* SPDX-License-Identifier: GPL-2.0-or-later */
/* file_unlinked.c - a file that was unlinked while open keeps its bytes as long as it is open */
#include "victim.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define SIZE 50000

static unsigned char bytes[SIZE];

int main(void)
{
	uint64_t seed = 32;
	struct stat st;
	int fd;

	victim_scratch();
	fd = open("file", O_RDWR | O_CREAT, 0600);
	victim_fill(bytes, SIZE, seed);
	NEED(fd >= 0 && write(fd, bytes, SIZE) == SIZE && unlink("file") == 0);
	victim_ready();
	while (victim_round()) {
		CHECK_EQ(fstat(fd, &st), 0);
		CHECK_EQ(st.st_nlink, 0);
		CHECK_EQ(st.st_size, SIZE);
		CHECK_EQ(pread(fd, bytes, SIZE, 0), SIZE);
		CHECK(victim_is(bytes, SIZE, seed));
		victim_fill(bytes, SIZE, ++seed);
		CHECK_EQ(pwrite(fd, bytes, SIZE, 0), SIZE);
	}
	return victim_end();
}
