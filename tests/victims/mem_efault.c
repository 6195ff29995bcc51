/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mem_efault.c - calls that get a bad pointer answer EFAULT and the process goes on */
#include "victim.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define PAGE 4096

int main(void)
{
	int pipe_[2], fd;
	char *edge, *bad,
		*constant = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	edge = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	NEED(edge != MAP_FAILED && constant != MAP_FAILED && munmap(edge + PAGE, PAGE) == 0);
	bad = edge + PAGE;
	victim_scratch();
	fd = open("file", O_RDWR | O_CREAT, 0600);
	NEED(fd >= 0 && pipe(pipe_) == 0 && write(fd, "12345678", 8) == 8);
	victim_ready();
	while (victim_round()) {
		struct iovec parts[2] = { { edge, 4 }, { bad, 4 } };

		CHECK_ERR(syscall(SYS_write, pipe_[1], bad, 4), EFAULT);
		CHECK_ERR(syscall(SYS_pread64, fd, bad, 4, 0), EFAULT);
		CHECK_ERR(syscall(SYS_pread64, fd, constant, 4, 0), EFAULT);
		CHECK_ERR(syscall(SYS_openat, AT_FDCWD, bad, O_RDONLY), EFAULT);
		CHECK_ERR(syscall(SYS_newfstatat, AT_FDCWD, "file", bad, 0), EFAULT);
		CHECK_ERR(syscall(SYS_pipe2, bad, 0), EFAULT);
		CHECK_ERR(syscall(SYS_poll, bad, 1, 0), EFAULT);
		CHECK_ERR(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, bad), EFAULT);
		CHECK_ERR(syscall(SYS_nanosleep, bad, NULL), EFAULT);
		CHECK_ERR(syscall(SYS_getcwd, bad, 100), EFAULT);
		/* a path that ends at the edge of the memory, and one that does not end there */
		edge[PAGE - 5] = 'f';
		edge[PAGE - 4] = 'i';
		edge[PAGE - 3] = 'l';
		edge[PAGE - 2] = 'e';
		edge[PAGE - 1] = '\0';
		CHECK_EQ(access(edge + PAGE - 5, R_OK), 0);
		edge[PAGE - 1] = 's';
		CHECK_ERR(syscall(SYS_access, edge + PAGE - 5, R_OK), EFAULT);
		/* the first part is good: it is read, and that is told */
		CHECK_EQ(preadv(fd, parts, 2, 0), 4);
		CHECK_MEM(edge, "1234", 4);
	}
	return victim_end();
}
