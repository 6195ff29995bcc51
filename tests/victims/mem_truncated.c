/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mem_truncated.c - touching a mapped page past the end of its file is SIGBUS, until the file grows
 * again
 */
#include "fault.h"
#include "victim.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096

int main(void)
{
	unsigned char *at;
	int fd;

	victim_scratch();
	fd = open("file", O_RDWR | O_CREAT, 0600);
	NEED(fd >= 0 && ftruncate(fd, 2 * PAGE) == 0);
	at = mmap(NULL, 2 * PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
	NEED(at != MAP_FAILED);
	victim_ready();
	while (victim_round()) {
		struct fault f;

		CHECK_EQ(pwrite(fd, "abc", 3, PAGE), 3);
		CHECK_EQ(fault_of(at + PAGE, TOUCH_READ).signal, 0);
		CHECK_MEM(at + PAGE, "abc", 4);
		CHECK_EQ(ftruncate(fd, PAGE), 0);
		CHECK_EQ(fault_of(at, TOUCH_READ).signal, 0);
		f = fault_of(at + PAGE + 9, TOUCH_READ);
		CHECK_EQ(f.signal, SIGBUS);
		CHECK_EQ(f.code, BUS_ADRERR);
		CHECK(f.at == at + PAGE + 9);
		CHECK_EQ(ftruncate(fd, 2 * PAGE), 0);
		CHECK_EQ(fault_of(at + PAGE, TOUCH_READ).signal, 0);
		CHECK_EQ(at[PAGE], 0);
	}
	return victim_end();
}
