/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * proc_fork_tree.c - children fork children, three deep, and the sum of all statuses comes up
 * through them
 */
#include "victim.h"

#include <sys/wait.h>
#include <unistd.h>

#define DEPTH 3
#define WIDTH 2

/* 1 for itself and what its children counted */
static int grow(int depth)
{
	int sum = 1;

	for (int i = 0; i < WIDTH && depth > 0; i++) {
		pid_t child = fork();

		NEED(child >= 0);
		if (child == 0)
			_exit(grow(depth - 1));
	}
	for (int i = 0; i < WIDTH && depth > 0; i++) {
		int status = 0;

		NEED(wait(&status) > 0 && WIFEXITED(status));
		sum += WEXITSTATUS(status);
	}
	return sum;
}

int main(void)
{
	victim_ready();
	while (victim_round())
		CHECK_EQ(grow(DEPTH), 15);
	return victim_end();
}
