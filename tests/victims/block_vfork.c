/* SPDX-License-Identifier: GPL-2.0-or-later */
/* block_vfork.c - waits in vfork() until the child, which waits in read(), has ended */
#include "victim.h"

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
		volatile char byte = 0;
		int status = 0;
		pid_t child;

		victim_wait(&waker);
		child = vfork();
		if (child == 0) {
			(void)read(pipe_[0], (void *)&byte, 1);
			_exit(11);
		}
		CHECK_EQ(byte, 'w');
		CHECK_EQ(waitpid(child, &status, 0), child);
		CHECK_EQ(WIFEXITED(status) ? WEXITSTATUS(status) : -1, 11);
	}
	victim_waker_end(&waker);
	return victim_end();
}
