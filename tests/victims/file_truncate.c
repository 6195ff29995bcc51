/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * file_truncate.c - files shrink and grow, by name and descriptor; what is new is zero, what is cut
 * is gone
 */
#include "victim.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define SIZE 10000

static unsigned char bytes[SIZE];

int main(void)
{
	uint64_t seed = 31;
	struct stat st;
	int fd;

	victim_scratch();
	fd = open("file", O_RDWR | O_CREAT, 0600);
	NEED(fd >= 0);
	victim_ready();
	while (victim_round()) {
		off_t cut = (off_t)(victim_random(&seed) % (SIZE / 8)) * 8;

		victim_fill(bytes, SIZE, seed);
		CHECK_EQ(pwrite(fd, bytes, SIZE, 0), SIZE);
		CHECK_EQ(ftruncate(fd, cut), 0);
		CHECK_EQ(fstat(fd, &st), 0);
		CHECK_EQ(st.st_size, cut);
		CHECK_EQ(truncate("file", SIZE), 0);
		CHECK_EQ(pread(fd, bytes, SIZE, 0), SIZE);
		CHECK(victim_is(bytes, (size_t)cut, seed));
		for (off_t i = cut; i < SIZE; i++)
			if (!CHECK_EQ(bytes[i], 0))
				break;
		CHECK_EQ(close(open("file", O_WRONLY | O_TRUNC)), 0);
		CHECK_EQ(fstat(fd, &st), 0);
		CHECK_EQ(st.st_size, 0);
		CHECK_ERR(truncate("nothing", 1), ENOENT);
		CHECK_ERR(ftruncate(fd, -1), EINVAL);
	}
	return victim_end();
}
