/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mem_brk.c - the program break moves up and down, and what is between comes zeroed and goes away
 */
#include "fault.h"
#include "victim.h"

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGE 4096

static unsigned char *brk_to(unsigned char *to)
{
	return (unsigned char *)syscall(SYS_brk,
					to); /* not glibc's, malloc() has an opinion as well */
}

int main(void)
{
	unsigned char *start = brk_to(NULL), *at;
	uint64_t seed = 13;

	start = (unsigned char *)(((uintptr_t)start + PAGE - 1) & -(uintptr_t)PAGE);
	NEED(brk_to(start + PAGE) == start + PAGE);
	victim_fill(start, PAGE, 13);
	victim_ready();
	while (victim_round()) {
		size_t n = (1 + victim_random(&seed) % 64) * PAGE;

		CHECK(brk_to(NULL) == start + PAGE);
		CHECK(victim_is(start, PAGE, 13));
		at = start + PAGE;
		CHECK(brk_to(at + n) == at + n);
		CHECK_EQ(at[0] | at[n / 2] | at[n - 1], 0);
		victim_fill(at, n, seed);
		CHECK(victim_is(at, n, seed));
		CHECK(brk_to(at) == at);
		CHECK_EQ(fault_of(at, TOUCH_READ).signal, SIGSEGV);
		/* an impossible wish changes nothing */
		CHECK(brk_to((unsigned char *)PAGE) == at);
	}
	return victim_end();
}
