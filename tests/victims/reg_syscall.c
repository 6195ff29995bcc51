/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * reg_syscall.c - a system call changes rax, rcx and r11 and no other register, also one that waits
 */
#include "victim.h"

#include <sys/syscall.h>

#define N_REGS 9

/* nanosleep(time, 0) with the registers that are not its own loaded from values; its result */
long sleep_with(uint64_t values[N_REGS], const struct timespec *time);

__asm__(".text\n"
	".type sleep_with, @function\n"
	"sleep_with:\n"
	"	endbr64\n"
	"	push %rbx\n	push %rbp\n	push %r12\n	push %r13\n	push %r14\n	"
	"push %r15\n"
	"	push %rdi\n"
	"	mov 0(%rdi), %rbx\n	mov 8(%rdi), %rbp\n	mov 16(%rdi), %r8\n"
	"	mov 24(%rdi), %r9\n	mov 32(%rdi), %r10\n	mov 40(%rdi), %r12\n"
	"	mov 48(%rdi), %r13\n	mov 56(%rdi), %r14\n	mov 64(%rdi), %r15\n"
	"	mov %rsi, %rdi\n"
	"	xor %esi, %esi\n"
	"	mov $35, %eax\n" /* nanosleep */
	"	syscall\n"
	"	pop %rdi\n"
	"	mov %rbx, 0(%rdi)\n	mov %rbp, 8(%rdi)\n	mov %r8, 16(%rdi)\n"
	"	mov %r9, 24(%rdi)\n	mov %r10, 32(%rdi)\n	mov %r12, 40(%rdi)\n"
	"	mov %r13, 48(%rdi)\n	mov %r14, 56(%rdi)\n	mov %r15, 64(%rdi)\n"
	"	pop %r15\n	pop %r14\n	pop %r13\n	pop %r12\n	pop %rbp\n	"
	"pop %rbx\n"
	"	ret\n"
	".size sleep_with, . - sleep_with\n");

_Static_assert(SYS_nanosleep == 35, "the number in sleep_with");

int main(void)
{
	const struct timespec brief = { 0, 5 * 1000 * 1000 };
	uint64_t want[N_REGS], got[N_REGS], seed = 2;

	victim_ready();
	while (victim_round()) {
		for (int i = 0; i < N_REGS; i++)
			got[i] = want[i] = victim_random(&seed);
		CHECK_EQ(sleep_with(got, &brief), 0);
		CHECK_MEM(got, want, sizeof(want));
	}
	return victim_end();
}
