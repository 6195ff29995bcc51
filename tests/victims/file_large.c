/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * file_large.c - bytes beyond 4 GiB are found where they were written, and one write may be many
 * megabytes
 */
#include "victim.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define FAR   (5LL << 30)
#define WHOLE (3 << 20)

int main(void)
{
	unsigned char *bytes = malloc(WHOLE);
	uint64_t seed = 33;
	struct stat st;
	int fd;

	victim_scratch();
	fd = open("file", O_RDWR | O_CREAT, 0600);
	NEED(bytes != NULL && fd >= 0);
	victim_ready();
	while (victim_round()) {
		victim_fill(bytes, WHOLE, ++seed);
		CHECK_EQ(pwrite(fd, bytes, WHOLE, FAR), WHOLE);
		CHECK_EQ(lseek(fd, FAR + 100, SEEK_SET), FAR + 100);
		CHECK_EQ(read(fd, bytes, 8), 8);
		CHECK_EQ(fstat(fd, &st), 0);
		CHECK_EQ(st.st_size, FAR + WHOLE);
		CHECK_EQ(pread(fd, bytes, WHOLE, FAR), WHOLE);
		CHECK(victim_is(bytes, WHOLE, seed));
		CHECK_EQ(ftruncate(fd, 0), 0);
	}
	return victim_end();
}
