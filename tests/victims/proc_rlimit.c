/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * proc_rlimit.c - limits stay as set, are seen in /proc, and those on files and memory are enforced
 */
#include "victim.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <signal.h>
#include <unistd.h>

static rlim_t in_proc(const char *what)
{
	char text[4096], *line;
	unsigned long soft = 0;

	if (!CHECK(victim_slurp("/proc/self/limits", text, sizeof(text)) > 0))
		return 0;
	line = strstr(text, what);
	CHECK(line && sscanf(line + strlen(what), "%lu", &soft) == 1);
	return soft;
}

int main(void)
{
	struct rlimit l, small = { 0 };
	uint64_t seed = 25;
	int fd;

	victim_scratch();
	(void)signal(SIGXFSZ, SIG_IGN);
	fd = open("file", O_RDWR | O_CREAT, 0600);
	NEED(fd >= 0 && getrlimit(RLIMIT_NOFILE, &small) == 0);
	small.rlim_cur = 30;
	victim_ready();
	while (victim_round()) {
		int last = -1, next;

		CHECK_EQ(setrlimit(RLIMIT_NOFILE, &small), 0);
		while ((next = dup(fd)) >= 0)
			last = next;
		CHECK_EQ(errno, EMFILE);
		CHECK_EQ(last, (int)small.rlim_cur - 1);
		for (int i = fd + 1; i <= last; i++)
			CHECK_EQ(close(i), 0);
		CHECK_EQ(in_proc("Max open files"), small.rlim_cur);
		small.rlim_cur = 30 + victim_random(&seed) % 30;

		CHECK_EQ(getrlimit(RLIMIT_FSIZE, &l), 0);
		l.rlim_cur = 1000;
		CHECK_EQ(setrlimit(RLIMIT_FSIZE, &l), 0);
		CHECK_EQ(pwrite(fd, "12345678", 8, 996), 4);
		CHECK_ERR(pwrite(fd, "1", 1, 1000), EFBIG);
		l.rlim_cur = l.rlim_max;
		CHECK_EQ(setrlimit(RLIMIT_FSIZE, &l), 0);
		CHECK_EQ(pwrite(fd, "1", 1, 1000), 1);

		CHECK_EQ(getrlimit(RLIMIT_DATA, &l), 0);
		l.rlim_cur = 32 << 20;
		CHECK_EQ(setrlimit(RLIMIT_DATA, &l), 0);
		CHECK(mmap(NULL, 64 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			   0) == MAP_FAILED);
		l.rlim_cur = l.rlim_max;
		CHECK_EQ(setrlimit(RLIMIT_DATA, &l), 0);
	}
	return victim_end();
}
