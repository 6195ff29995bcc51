/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * reg_sse.c - the sixteen xmm registers hold their values, while computing and over a call that
 * waits
 */
#include "victim.h"

#include <string.h>

#define N_REGS 16
#define WIDTH  16
#define SPINS  20000

/* load xmm0-15, spin, sleep for *time, store them */
void hold(void *values, long spins, const struct timespec *time);

#define REGISTERS "0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15"
__asm__(".text\n"
	".type hold, @function\n"
	"hold:\n"
	"	endbr64\n"
	"	mov %rdi, %r8\n"
	"	mov %rdx, %rdi\n"
	"	.irp n," REGISTERS "\n"
	"	movdqu 16*\\n(%r8), %xmm\\n\n"
	"	.endr\n"
	"1:	pause\n"
	"	dec %rsi\n"
	"	jnz 1b\n"
	"	mov $35, %eax\n" /* nanosleep(time, 0) */
	"	syscall\n"
	"	.irp n," REGISTERS "\n"
	"	movdqu %xmm\\n, 16*\\n(%r8)\n"
	"	.endr\n"
	"	ret\n"
	".size hold, . - hold\n");

int main(void)
{
	const struct timespec brief = { 0, 2 * 1000 * 1000 };
	unsigned char want[N_REGS * WIDTH], got[N_REGS * WIDTH];
	uint64_t seed = 3;

	victim_ready();
	while (victim_round()) {
		victim_fill(want, sizeof(want), victim_random(&seed));
		memcpy(got, want, sizeof(want));
		hold(got, SPINS, &brief);
		CHECK_MEM(got, want, sizeof(want));
	}
	return victim_end();
}
