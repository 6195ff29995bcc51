/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * proc_self_fd.c - /proc/self/fd lists the open files and no others, with their names, and opens
 * them again
 */
#include "victim.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define N_FDS 1024

/* the descriptors listed, without the one that reads the list */
static void list(bool open_[N_FDS])
{
	DIR *d = opendir("/proc/self/fd");

	NEED(d != NULL);
	memset(open_, 0, N_FDS * sizeof(*open_));
	for (struct dirent *e; (e = readdir(d));) {
		long n = strtol(e->d_name, NULL, 10);

		if (e->d_name[0] == '.' || n == dirfd(d))
			continue;
		if (CHECK(n >= 0 && n < N_FDS))
			open_[n] = true;
	}
	(void)closedir(d);
}

int main(void)
{
	bool first[N_FDS], now[N_FDS];
	char name[PATH_MAX], link[64], word[8];
	int fd, pipe_[2];
	ssize_t n;

	victim_scratch();
	NEED(pipe(pipe_) == 0);
	fd = open("file", O_RDWR | O_CREAT, 0600);
	NEED(fd >= 0 && write(fd, "content", 7) == 7);
	list(first);
	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	victim_ready();
	while (victim_round()) {
		int again;

		list(now);
		CHECK_MEM(now, first, sizeof(first));
		for (int i = 0; i < N_FDS; i++)
			CHECK_EQ(fcntl(i, F_GETFD) >= 0, first[i]);
		n = readlink(link, name, sizeof(name) - 1);
		if (CHECK(n > 5)) {
			name[n] = '\0';
			CHECK_STR(name + n - 5, "/file");
		}
		again = open(link, O_RDONLY);
		CHECK(again >= 0);
		CHECK_EQ(read(again, word, 7), 7); /* with an offset of its own */
		CHECK_MEM(word, "content", 7);
		CHECK_EQ(close(again), 0);
	}
	return victim_end();
}
