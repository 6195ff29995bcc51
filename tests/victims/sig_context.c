/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sig_context.c - what a handler changes in the saved registers is what the program goes on with */
#include "victim.h"

#include <signal.h>
#include <ucontext.h>
#include <unistd.h>

#define ASKED	 0x1111111111111111
#define ANSWERED 0x2222222222222222

static volatile sig_atomic_t asked;

static void on_signal(int signal, siginfo_t *info, void *context)
{
	greg_t *regs = ((ucontext_t *)context)->uc_mcontext.gregs;

	if (regs[REG_RBX] == ASKED) {
		asked++;
		regs[REG_RBX] = ANSWERED;
	}
}

int main(void)
{
	struct sigaction sa = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO };
	pid_t me = getpid();
	int n = 0;

	NEED(sigaction(SIGUSR1, &sa, NULL) == 0);
	victim_ready();
	while (victim_round()) {
		uint64_t rbx = ASKED;
		long result = 62; /* kill */

		__asm__ volatile("syscall"
				 : "+a"(result), "+b"(rbx)
				 : "D"((long)me), "S"((long)SIGUSR1)
				 : "rcx", "r11", "memory");
		CHECK_EQ(result, 0);
		CHECK_EQ(rbx, ANSWERED);
		CHECK_EQ(asked, ++n);
	}
	return victim_end();
}
