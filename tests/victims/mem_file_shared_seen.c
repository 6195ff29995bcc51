/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mem_file_shared_seen.c - what write() puts into a file is seen in its shared mapping at once */
#include "victim.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096
#define N    4

int main(void)
{
	unsigned char bytes[N * PAGE], *at;
	uint64_t seed = 18;
	int fd;

	victim_scratch();
	fd = open("file", O_RDWR | O_CREAT, 0600);
	NEED(fd >= 0 && ftruncate(fd, sizeof(bytes)) == 0);
	at = mmap(NULL, sizeof(bytes), PROT_READ, MAP_SHARED, fd, 0);
	NEED(at != MAP_FAILED);
	victim_fill(bytes, sizeof(bytes), seed);
	NEED(pwrite(fd, bytes, sizeof(bytes), 0) == sizeof(bytes));
	victim_ready();
	while (victim_round()) {
		CHECK_MEM(at, bytes, sizeof(bytes));
		victim_fill(bytes, sizeof(bytes), victim_random(&seed));
		CHECK_EQ(pwrite(fd, bytes, sizeof(bytes), 0), sizeof(bytes));
		CHECK_MEM(at, bytes, sizeof(bytes));
	}
	return victim_end();
}
