/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * block_wait.c - waits in wait4() for a child that ends when it is told to, and learns its status
 * and its time
 */
#include "victim.h"

#include <errno.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static int pipe_[2];

static void wake(void *unused)
{
	CHECK_EQ(write(pipe_[1], "w", 1), 1);
}

int main(void)
{
	struct waker waker;

	NEED(pipe(pipe_) == 0);
	waker = victim_waker(wake, NULL);
	while (victim_round()) {
		struct rusage used = { .ru_maxrss = -1 };
		pid_t child = fork();
		int status = 0;
		char byte;

		NEED(child >= 0);
		if (child == 0)
			_exit(read(pipe_[0], &byte, 1) == 1 ? 33 : 34);
		victim_wait(&waker);
		CHECK_EQ(wait4(child, &status, 0, &used), child);
		CHECK_EQ(WIFEXITED(status) ? WEXITSTATUS(status) : -1, 33);
		/* a child this small may have a size of 0: the kernel counts in steps of 32 pages and a CPU */
		CHECK(used.ru_maxrss >= 0 && used.ru_minflt > 0);
	}
	victim_waker_end(&waker);
	return victim_end();
}
