/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * proc_fork_wait.c - forked children have a copy of the memory and end with the status they chose
 */
#include "victim.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static unsigned char data[10000];

static void end(int how, pid_t parent)
{
	if (getppid() != parent || !victim_is(data, sizeof(data), 1))
		_exit(99);
	victim_fill(data, sizeof(data), 2); /* in its own copy */
	if (how % 2)
		(void)raise(SIGTERM);
	_exit(how);
}

int main(void)
{
	pid_t me = getpid();
	int how = 0, status;

	victim_fill(data, sizeof(data), 1);
	victim_ready();
	while (victim_round()) {
		pid_t child = fork();

		how = (how + 1) % 90;
		NEED(child >= 0);
		if (child == 0)
			end(how, me);
		CHECK_EQ(waitpid(child, &status, 0), child);
		if (how % 2)
			CHECK_EQ(WIFSIGNALED(status) ? WTERMSIG(status) : -1, SIGTERM);
		else
			CHECK_EQ(WIFEXITED(status) ? WEXITSTATUS(status) : -1, how);
		CHECK(victim_is(data, sizeof(data), 1));
		CHECK_EQ(waitpid(child, &status, 0), -1);
		CHECK_EQ(getpid(), me);
	}
	return victim_end();
}
