/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mem_file_shared_write.c - what a process writes into a shared mapping that is its own is read
 * from the file
 */
#include "victim.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096
#define N    4

int main(void)
{
	unsigned char back[N * PAGE], *at;
	uint64_t seed = 19;
	int fd;

	victim_scratch();
	fd = open("file", O_RDWR | O_CREAT, 0600);
	NEED(fd >= 0 && ftruncate(fd, sizeof(back)) == 0);
	at = mmap(NULL, sizeof(back), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	NEED(at != MAP_FAILED);
	victim_fill(at, sizeof(back), seed);
	victim_ready();
	while (victim_round()) {
		CHECK(victim_is(at, sizeof(back), seed));
		CHECK_EQ(pread(fd, back, sizeof(back), 0), sizeof(back));
		CHECK(victim_is(back, sizeof(back), seed));
		victim_fill(at, sizeof(back), ++seed);
		CHECK_EQ(msync(at, sizeof(back), MS_SYNC), 0);
		CHECK_EQ(pread(fd, back, sizeof(back), 0), sizeof(back));
		CHECK(victim_is(back, sizeof(back), seed));
	}
	return victim_end();
}
