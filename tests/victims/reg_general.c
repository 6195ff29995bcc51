/* SPDX-License-Identifier: GPL-2.0-or-later */
/* reg_general.c - the fifteen general registers hold their values while the program computes */
#include "victim.h"

#define N_REGS 15
#define SPINS  20000

/* load all registers but rsp from values, count down in memory, store what they hold then */
void hold(uint64_t values[N_REGS], long spins);

__asm__(".text\n"
	".type hold, @function\n"
	"hold:\n"
	"	endbr64\n"
	"	push %rbx\n	push %rbp\n	push %r12\n	push %r13\n	push %r14\n	"
	"push %r15\n"
	"	push %rdi\n"
	"	push %rsi\n"
	"	mov 0(%rdi), %rax\n	mov 8(%rdi), %rbx\n	mov 16(%rdi), %rcx\n"
	"	mov 24(%rdi), %rdx\n	mov 32(%rdi), %rsi\n	mov 40(%rdi), %rbp\n"
	"	mov 48(%rdi), %r8\n	mov 56(%rdi), %r9\n	mov 64(%rdi), %r10\n"
	"	mov 72(%rdi), %r11\n	mov 80(%rdi), %r12\n	mov 88(%rdi), %r13\n"
	"	mov 96(%rdi), %r14\n	mov 104(%rdi), %r15\n	mov 112(%rdi), %rdi\n"
	"1:	pause\n"
	"	decq (%rsp)\n"
	"	jnz 1b\n"
	"	xchg %rdi, 8(%rsp)\n"
	"	mov %rax, 0(%rdi)\n	mov %rbx, 8(%rdi)\n	mov %rcx, 16(%rdi)\n"
	"	mov %rdx, 24(%rdi)\n	mov %rsi, 32(%rdi)\n	mov %rbp, 40(%rdi)\n"
	"	mov %r8, 48(%rdi)\n	mov %r9, 56(%rdi)\n	mov %r10, 64(%rdi)\n"
	"	mov %r11, 72(%rdi)\n	mov %r12, 80(%rdi)\n	mov %r13, 88(%rdi)\n"
	"	mov %r14, 96(%rdi)\n	mov %r15, 104(%rdi)\n"
	"	mov 8(%rsp), %rax\n	mov %rax, 112(%rdi)\n"
	"	add $16, %rsp\n"
	"	pop %r15\n	pop %r14\n	pop %r13\n	pop %r12\n	pop %rbp\n	"
	"pop %rbx\n"
	"	ret\n"
	".size hold, . - hold\n");

int main(void)
{
	uint64_t want[N_REGS], got[N_REGS], seed = 1;

	victim_ready();
	while (victim_round()) {
		for (int i = 0; i < N_REGS; i++)
			got[i] = want[i] = victim_random(&seed);
		hold(got, SPINS);
		CHECK_MEM(got, want, sizeof(want));
	}
	return victim_end();
}
