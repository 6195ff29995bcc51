/* SPDX-License-Identifier: GPL-2.0-or-later */
/* reg_fsgs.c - the bases of fs (thread-local storage) and gs stay, set by call or by instruction */
#include "victim.h"

#include <asm/prctl.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <unistd.h>

#define HWCAP2_FSGS (1 << 1) /* user code may use wrgsbase */

static _Thread_local uint64_t mark = 0x1122334455667788;
static uint64_t slots[4];

static uint64_t through_gs(void)
{
	uint64_t value;

	__asm__ volatile("mov %%gs:8, %0" : "=r"(value));
	return value;
}

static void write_base(uint64_t *base)
{
	__asm__ volatile("wrgsbase %0" : : "r"(base));
}

int main(void)
{
	bool by_instruction = getauxval(AT_HWCAP2) & HWCAP2_FSGS;
	unsigned long fs, now, gs;
	int turn = 0;

	for (int i = 0; i < 4; i++)
		slots[i] = 100 + i;
	NEED(syscall(SYS_arch_prctl, ARCH_GET_FS, &fs) == 0);
	NEED(syscall(SYS_arch_prctl, ARCH_SET_GS, &slots[0]) == 0);
	victim_ready();
	while (victim_round()) {
		CHECK_EQ(syscall(SYS_arch_prctl, ARCH_GET_FS, &now), 0);
		CHECK_EQ(now, fs);
		CHECK_EQ(mark, 0x1122334455667788);
		CHECK_EQ(syscall(SYS_arch_prctl, ARCH_GET_GS, &gs), 0);
		CHECK_EQ(gs, (unsigned long)&slots[turn]);
		CHECK_EQ(through_gs(), slots[turn + 1]);
		turn = (turn + 1) % 3;
		if (by_instruction && turn % 2)
			write_base(&slots[turn]);
		else
			CHECK_EQ(syscall(SYS_arch_prctl, ARCH_SET_GS, &slots[turn]), 0);
	}
	return victim_end();
}
