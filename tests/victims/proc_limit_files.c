/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * proc_limit_files.c - a program has all the descriptors that its limit says, each number of them, also
 * when the limit is changed
 */
#include "victim.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#define LEAST 950
#define MOST  1300

int main(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct rlimit l, got;
	uint64_t seed = 31;

	NEED(fd >= 0 && getrlimit(RLIMIT_NOFILE, &l) == 0);
	if (l.rlim_max < MOST)
		victim_skip("there are not enough descriptors (ulimit -Hn)");
	l.rlim_cur = LEAST;
	NEED(setrlimit(RLIMIT_NOFILE, &l) == 0);
	victim_ready();
	while (victim_round()) {
		int n = (int)l.rlim_cur, next, want = fd + 1;

		CHECK_EQ(getrlimit(RLIMIT_NOFILE, &got), 0);
		CHECK_EQ(got.rlim_cur, l.rlim_cur);
		CHECK_EQ(got.rlim_max, l.rlim_max);
		/* the highest ones by their numbers, the rest as they come */
		for (int i = n - 64; i < n; i++)
			CHECK_EQ(dup2(fd, i), i);
		CHECK_ERR(dup2(fd, n), EBADF);
		while ((next = dup(fd)) >= 0)
			CHECK_EQ(next, want++);
		CHECK_EQ(errno, EMFILE);
		CHECK_EQ(want, n - 64);
		CHECK_EQ(close_range((unsigned int)fd + 1, ~0U, 0), 0);
		CHECK_ERR(fcntl(n - 1, F_GETFD), EBADF);
		l.rlim_cur = LEAST + victim_random(&seed) % (MOST - LEAST);
		CHECK_EQ(setrlimit(RLIMIT_NOFILE, &l), 0);
	}
	return victim_end();
}
