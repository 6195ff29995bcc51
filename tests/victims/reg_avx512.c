/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * reg_avx512.c - zmm0-31 and the masks k0-7 hold their values, while computing and over a call that
 * waits
 */
#include "victim.h"

#include <string.h>

#define N_REGS	32
#define WIDTH	64
#define N_MASKS 8
#define SPINS	20000

struct state {
	unsigned char zmm[N_REGS * WIDTH];
	uint64_t k[N_MASKS];
};

/* load them all, spin, sleep for *time, store them */
void hold(struct state *state, long spins, const struct timespec *time);

#define MASKS "0,1,2,3,4,5,6,7"
#define REGISTERS                                                                                  \
	"0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31"
__asm__(".text\n"
	".type hold, @function\n"
	"hold:\n"
	"	endbr64\n"
	"	mov %rdi, %r8\n"
	"	mov %rdx, %rdi\n"
	"	.irp n," REGISTERS "\n"
	"	vmovdqu64 64*\\n(%r8), %zmm\\n\n"
	"	.endr\n"
	"	.irp n," MASKS "\n"
	"	kmovq 2048+8*\\n(%r8), %k\\n\n"
	"	.endr\n"
	"1:	pause\n"
	"	dec %rsi\n"
	"	jnz 1b\n"
	"	mov $35, %eax\n" /* nanosleep(time, 0) */
	"	syscall\n"
	"	.irp n," REGISTERS "\n"
	"	vmovdqu64 %zmm\\n, 64*\\n(%r8)\n"
	"	.endr\n"
	"	.irp n," MASKS "\n"
	"	kmovq %k\\n, 2048+8*\\n(%r8)\n"
	"	.endr\n"
	"	vzeroupper\n"
	"	ret\n"
	".size hold, . - hold\n");

_Static_assert(offsetof(struct state, k) == 2048, "the offset in hold");

int main(void)
{
	const struct timespec brief = { 0, 2 * 1000 * 1000 };
	struct state want, got;
	uint64_t seed = 5;

	if (!__builtin_cpu_supports("avx512bw"))
		victim_skip("this processor has no AVX-512");
	victim_ready();
	while (victim_round()) {
		victim_fill(&want, sizeof(want), victim_random(&seed));
		got = want;
		hold(&got, SPINS, &brief);
		CHECK_MEM(&got, &want, sizeof(want));
	}
	return victim_end();
}
