/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mem_file_given_back.c - pages of a private mapping of a file that were written and given back (madvise)
 * show the file again
 */
#include "victim.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096
#define N    16

int main(void)
{
	static unsigned char bytes[N * PAGE];
	unsigned char *at;
	uint64_t seed = 77;
	int fd;

	victim_scratch();
	victim_fill(bytes, sizeof(bytes), 1);
	fd = open("file", O_RDWR | O_CREAT, 0600);
	NEED(fd >= 0 && write(fd, bytes, sizeof(bytes)) == sizeof(bytes));
	at = mmap(NULL, sizeof(bytes), PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	NEED(at != MAP_FAILED && close(fd) == 0);
	victim_ready();
	while (victim_round()) {
		size_t page = victim_random(&seed) % N, n = 1 + victim_random(&seed) % (N - page);

		for (size_t i = page; i < page + n; i++)
			at[i * PAGE + 7] = (unsigned char)~bytes[i * PAGE + 7];
		CHECK(!victim_is(at, sizeof(bytes), 1));
		CHECK_ERR(madvise(at + page * PAGE, n * PAGE, MADV_FREE), EINVAL);
		CHECK_EQ(madvise(at + page * PAGE, n * PAGE, MADV_DONTNEED), 0);
		CHECK_MEM(at, bytes, sizeof(bytes));
	}
	return victim_end();
}
