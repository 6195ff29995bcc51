/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fault.c - touch memory that may not be touched, and see which signal comes of it */
#include "fault.h"

#include <setjmp.h>
#include <signal.h>
#include <stddef.h>

static sigjmp_buf back;
static struct fault seen;

static void on_fault(int signal, siginfo_t *info, void *context)
{
	seen = (struct fault){ signal, info->si_code, info->si_addr };
	siglongjmp(back, 1);
}

struct fault fault_of(void *at, enum touch how)
{
	struct sigaction catch = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO }, segv, bus;
	volatile char *byte = at;

	seen = (struct fault){ 0 };
	(void)sigaction(SIGSEGV, &catch, &segv);
	(void)sigaction(SIGBUS, &catch, &bus);
	if (sigsetjmp(back, 1) == 0) {
		switch (how) {
		case TOUCH_READ:
			(void)*byte;
			break;
		case TOUCH_WRITE:
			*byte = *byte;
			break;
		case TOUCH_RUN:
			((void (*)(void))at)();
			break;
		}
	}
	(void)sigaction(SIGSEGV, &segv, NULL);
	(void)sigaction(SIGBUS, &bus, NULL);
	return seen;
}
