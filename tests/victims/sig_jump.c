/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sig_jump.c - a handler leaves by siglongjmp, and mask and registers are as they were at sigsetjmp
 */
#include "victim.h"

#include <setjmp.h>
#include <signal.h>

static sigjmp_buf back;

static void on_signal(int signal)
{
	siglongjmp(back, signal);
}

int main(void)
{
	volatile int jumps = 0;
	sigset_t mask;

	(void)signal(SIGUSR1, on_signal);
	(void)signal(SIGUSR2, on_signal);
	victim_ready();
	while (victim_round()) {
		volatile int before = jumps;
		int came = sigsetjmp(back, 1);

		if (came == 0)
			(void)raise(jumps % 2 ? SIGUSR1 : SIGUSR2);
		CHECK_EQ(came, before % 2 ? SIGUSR1 : SIGUSR2);
		jumps++;
		CHECK_EQ(sigprocmask(SIG_BLOCK, NULL, &mask), 0);
		CHECK(!sigismember(&mask, SIGUSR1) && !sigismember(&mask, SIGUSR2));
	}
	return victim_end();
}
