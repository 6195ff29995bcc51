/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * file_holes.c - holes are found by SEEK_DATA and SEEK_HOLE, made by fallocate, and read as zeros
 */
#include "victim.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK 65536
#define SIZE  (8 * BLOCK)

static unsigned char bytes[BLOCK];

int main(void)
{
	struct stat st;
	int fd;

	victim_scratch();
	fd = open("file", O_RDWR | O_CREAT, 0600);
	NEED(fd >= 0);
	victim_ready();
	while (victim_round()) {
		CHECK_EQ(ftruncate(fd, 0), 0);
		CHECK_EQ(ftruncate(fd, SIZE), 0);
		victim_fill(bytes, BLOCK, 1);
		CHECK_EQ(pwrite(fd, bytes, BLOCK, 4 * BLOCK), BLOCK);
		CHECK_EQ(lseek(fd, 0, SEEK_DATA), 4 * BLOCK);
		CHECK_EQ(lseek(fd, 0, SEEK_HOLE), 0);
		CHECK_EQ(lseek(fd, 4 * BLOCK, SEEK_HOLE), 5 * BLOCK);
		CHECK_ERR(lseek(fd, 5 * BLOCK, SEEK_DATA), ENXIO);
		CHECK_EQ(pread(fd, bytes, BLOCK, BLOCK), BLOCK);
		CHECK_EQ(bytes[0] | bytes[BLOCK - 1], 0);
		CHECK_EQ(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 4 * BLOCK,
				   BLOCK / 2),
			 0);
		CHECK_EQ(pread(fd, bytes, BLOCK, 4 * BLOCK), BLOCK);
		CHECK_EQ(bytes[0] | bytes[BLOCK / 2 - 1], 0);
		CHECK(bytes[BLOCK / 2 + 1] != 0 || bytes[BLOCK / 2 + 2] != 0);
		CHECK_EQ(fallocate(fd, 0, SIZE, BLOCK), 0);
		CHECK_EQ(fstat(fd, &st), 0);
		CHECK_EQ(st.st_size, SIZE + BLOCK);
		CHECK_EQ(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
	}
	return victim_end();
}
