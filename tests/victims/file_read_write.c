/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * file_read_write.c - read, write, pread, pwrite, readv, writev and lseek agree on bytes and on the
 * offset
 */
#include "victim.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#define SIZE 20000

static unsigned char in[SIZE], out[SIZE];

int main(void)
{
	uint64_t seed = 30;
	off_t at = 0;
	int fd;

	victim_scratch();
	fd = open("file", O_RDWR | O_CREAT, 0600);
	NEED(fd >= 0 && write(fd, out, 100) == 100);
	at = 100;
	victim_ready();
	while (victim_round()) {
		struct iovec v[3] = { { in, 10 }, { in + 10, 9000 }, { in + 9010, SIZE - 9010 } };

		/* the offset of the last round is where it was left */
		CHECK_EQ(lseek(fd, 0, SEEK_CUR), at);
		victim_fill(out, SIZE, victim_random(&seed));
		CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
		CHECK_EQ(write(fd, out, SIZE), SIZE);
		CHECK_EQ(lseek(fd, 0, SEEK_CUR), SIZE);
		CHECK_EQ(read(fd, in, SIZE), 0);
		CHECK_EQ(pread(fd, in, SIZE, 1000), SIZE - 1000);
		CHECK_MEM(in, out + 1000, SIZE - 1000);
		CHECK_EQ(pwrite(fd, "now", 3, 50), 3);
		out[50] = 'n';
		out[51] = 'o';
		out[52] = 'w';
		CHECK_EQ(lseek(fd, 0, SEEK_CUR), SIZE);
		CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
		CHECK_EQ(readv(fd, v, 3), SIZE);
		CHECK_MEM(in, out, SIZE);
		CHECK_EQ(pwritev(fd, v, 2, SIZE), 9010);
		CHECK_EQ(lseek(fd, 0, SEEK_END), SIZE + 9010);
		CHECK_EQ(preadv(fd, v, 2, SIZE), 9010);
		CHECK_MEM(in, out, 9010);
		CHECK_EQ(ftruncate(fd, SIZE), 0);
		at = (off_t)(victim_random(&seed) % SIZE);
		CHECK_EQ(lseek(fd, at, SEEK_SET), at);
		CHECK_ERR(lseek(fd, -1, SEEK_SET), EINVAL);
		CHECK_ERR(read(-1, in, 1), EBADF);
	}
	return victim_end();
}
