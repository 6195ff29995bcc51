/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mem_file_shared_read.c - read-only shared mappings of a file, whole and from an offset, show its
 * bytes
 */
#include "fault.h"
#include "victim.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096
#define N    64

static unsigned char bytes[N * PAGE];

int main(void)
{
	unsigned char *whole;
	uint64_t seed = 17;
	int fd;

	victim_scratch();
	victim_fill(bytes, sizeof(bytes), 2);
	fd = open("file", O_RDWR | O_CREAT, 0600);
	NEED(fd >= 0 && write(fd, bytes, sizeof(bytes)) == sizeof(bytes));
	NEED(close(fd) == 0);
	fd = open("file", O_RDONLY);
	NEED(fd >= 0);
	whole = mmap(NULL, sizeof(bytes), PROT_READ, MAP_SHARED, fd, 0);
	NEED(whole != MAP_FAILED);
	victim_ready();
	while (victim_round()) {
		size_t from = victim_random(&seed) % N * PAGE;
		unsigned char *part;

		CHECK_MEM(whole, bytes, sizeof(bytes));
		CHECK_EQ(fault_of(whole, TOUCH_WRITE).signal, SIGSEGV);
		CHECK_EQ(mprotect(whole, PAGE, PROT_READ | PROT_WRITE), -1);
		part = mmap(NULL, sizeof(bytes) - from, PROT_READ, MAP_SHARED, fd, (off_t)from);
		NEED(part != MAP_FAILED);
		CHECK_MEM(part, bytes + from, sizeof(bytes) - from);
		CHECK_EQ(munmap(part, sizeof(bytes) - from), 0);
	}
	return victim_end();
}
