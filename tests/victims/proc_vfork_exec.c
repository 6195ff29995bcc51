/* SPDX-License-Identifier: GPL-2.0-or-later */
/* proc_vfork_exec.c - the parent of a vfork waits until the child has called exec or ended */
#include "victim.h"

#include <sys/wait.h>
#include <unistd.h>

int main(void)
{
	static char *const argv[] = { (char *)"sh", (char *)"-c", (char *)"exit 7", NULL };
	int status;

	victim_ready();
	while (victim_round()) {
		/* the child shares the memory: what it writes is seen by the parent */
		volatile int written = 0;
		pid_t child = vfork();

		if (child == 0) {
			written = 5;
			(void)execv("/bin/sh", argv);
			_exit(127);
		}
		CHECK_EQ(written, 5);
		CHECK_EQ(waitpid(child, &status, 0), child);
		CHECK_EQ(WIFEXITED(status) ? WEXITSTATUS(status) : -1, 7);

		child = vfork();
		if (child == 0) {
			written = 6;
			_exit(8);
		}
		CHECK_EQ(written, 6);
		CHECK_EQ(waitpid(child, &status, 0), child);
		CHECK_EQ(WIFEXITED(status) ? WEXITSTATUS(status) : -1, 8);
	}
	return victim_end();
}
