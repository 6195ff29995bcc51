/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * proc_pdeathsig.c - a process gets the signal it asked for when its parent ends, and keeps asking
 */
#include "victim.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static int pipe_[2];

/* the middle one: ends once its child has asked for the signal */
static void have_a_child(void *unused)
{
	int ready[2], signal_ = 0;
	sigset_t set;
	char byte;

	NEED(pipe(ready) == 0 && sigemptyset(&set) == 0 && sigaddset(&set, SIGUSR1) == 0);
	NEED(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
	if (fork() == 0) {
		NEED(prctl(PR_SET_PDEATHSIG, SIGUSR1) == 0);
		CHECK_EQ(write(ready[1], "r", 1), 1);
		CHECK_EQ(sigwait(&set, &signal_), 0);
		(void)!write(pipe_[1], &signal_, sizeof(signal_));
		_exit(0);
	}
	CHECK_EQ(read(ready[0], &byte, 1), 1);
}

int main(void)
{
	int got = 0;

	NEED(pipe(pipe_) == 0 && prctl(PR_SET_PDEATHSIG, SIGWINCH) == 0);
	victim_ready();
	while (victim_round()) {
		int mine = 0;

		CHECK_EQ(prctl(PR_GET_PDEATHSIG, &mine), 0);
		CHECK_EQ(mine, SIGWINCH);
		victim_reap(victim_child(have_a_child, NULL));
		CHECK_EQ(read(pipe_[0], &got, sizeof(got)), sizeof(got));
		CHECK_EQ(got, SIGUSR1);
	}
	return victim_end();
}
