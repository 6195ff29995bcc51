/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mem_file_private.c - a private mapping of a file shows the file where it was not written, keeps
 * what was written, and never changes the file
 */
#include "victim.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096
#define N    16

static unsigned char bytes[N * PAGE], back[N * PAGE];

int main(void)
{
	unsigned char *at;
	uint64_t seed = 16;
	int fd;

	victim_scratch();
	victim_fill(bytes, sizeof(bytes), 1);
	fd = open("file", O_RDWR | O_CREAT, 0600);
	NEED(fd >= 0 && write(fd, bytes, sizeof(bytes)) == sizeof(bytes));
	at = mmap(NULL, sizeof(bytes), PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	NEED(at != MAP_FAILED);
	victim_ready();
	while (victim_round()) {
		size_t place = victim_random(&seed) % sizeof(bytes);
		unsigned char *fresh;

		CHECK_MEM(at, bytes, sizeof(bytes));
		/* pages stay clean, become dirty, stay dirty: bytes follows the mapping, not the
		 * file */
		if (place % 2)
			at[place] = bytes[place] = (unsigned char)seed;
		CHECK_EQ(pread(fd, back, sizeof(back), 0), sizeof(back));
		CHECK(victim_is(back, sizeof(back), 1));
		fresh = mmap(NULL, sizeof(bytes), PROT_READ, MAP_PRIVATE, fd, 0);
		NEED(fresh != MAP_FAILED);
		CHECK(victim_is(fresh, sizeof(bytes), 1));
		CHECK_EQ(munmap(fresh, sizeof(bytes)), 0);
	}
	return victim_end();
}
