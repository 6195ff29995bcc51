/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pipe_fifo.c - a named pipe joins two processes that open it, and waits for the other end to be
 * opened
 */
#include "victim.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static void write_into(void *n)
{
	int fd = open("fifo", O_WRONLY);

	CHECK(fd >= 0);
	CHECK_EQ(write(fd, n, sizeof(int)), sizeof(int));
	CHECK_EQ(close(fd), 0);
}

int main(void)
{
	struct stat st;
	int n = 0, got;

	victim_scratch();
	NEED(mkfifo("fifo", 0600) == 0);
	victim_ready();
	while (victim_round()) {
		pid_t child;
		int fd;

		CHECK_ERR(open("fifo", O_WRONLY | O_NONBLOCK), ENXIO);
		CHECK_EQ(stat("fifo", &st), 0);
		CHECK(S_ISFIFO(st.st_mode));
		n++;
		child = victim_child(write_into, &n);
		fd = open("fifo", O_RDONLY);
		CHECK(fd >= 0);
		CHECK_EQ(read(fd, &got, sizeof(got)), sizeof(got));
		CHECK_EQ(got, n);
		CHECK_EQ(read(fd, &got, sizeof(got)), 0);
		CHECK_EQ(close(fd), 0);
		victim_reap(child);
	}
	return victim_end();
}
