/* SPDX-License-Identifier: GPL-2.0-or-later */
/* proc_limit_stack.c - the stack grows as far as its limit, as it is now, and SIGSEGV ends it there */
#include "victim.h"

#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>

#define FRAME 65536

static sigjmp_buf back;
static volatile int depth;

static void on_fault(int signal)
{
	siglongjmp(back, 1);
}

/* each call has so much of the stack, and something follows it: no tail call */
static __attribute__((noinline)) int deeper(int frames)
{
	volatile char room[FRAME];

	room[0] = room[FRAME - 1] = (char)frames;
	depth++;
	if (frames > 1)
		(void)deeper(frames - 1);
	return room[0] + room[FRAME - 1];
}

/* Return: whether there was room for so much */
static bool try(size_t bytes)
{
	if (sigsetjmp(back, 1))
		return false;
	depth = 0;
	(void)deeper((int)(bytes / FRAME));
	return true;
}

int main(void)
{
	struct sigaction sa = { .sa_handler = on_fault, .sa_flags = SA_ONSTACK };
	stack_t alt = { .ss_sp = malloc(65536), .ss_size = 65536 };
	struct rlimit l;
	rlim_t mib = 10;

	NEED(alt.ss_sp && sigaltstack(&alt, NULL) == 0 && sigaction(SIGSEGV, &sa, NULL) == 0);
	NEED(getrlimit(RLIMIT_STACK, &l) == 0);
	if (l.rlim_max < 64UL << 20)
		victim_skip("a stack may be too small here (ulimit -Hs)");
	victim_ready();
	while (victim_round()) {
		/* what it had once stays: so it is larger each time, as long as there is room */
		mib = mib < 48 ? mib + 2 : mib;
		l.rlim_cur = mib << 20;
		CHECK_EQ(setrlimit(RLIMIT_STACK, &l), 0);
		CHECK(try((mib - 1) << 20));
		CHECK(!try((mib + 2) << 20));
		CHECK(depth < (int)((mib << 20) / FRAME) + 1);
	}
	return victim_end();
}
