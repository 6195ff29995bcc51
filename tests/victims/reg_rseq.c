/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * reg_rseq.c - a restartable sequence is begun anew when its thread was taken off its CPU, whose
 * descriptor lies in a page that is read for nothing else
 */
#include "victim.h"

#include <sys/mman.h>
#include <sys/rseq.h>

#define COUNTS	1000000 /* about half a millisecond */
#define ROUNDS_ 20

extern const char reg_rseq_start[], reg_rseq_end[], reg_rseq_abort[];

static uint64_t entered;

/* counts to n in the sequence, from 0 each time that it is entered; Return: what it has counted */
static uint64_t count(struct rseq_cs *cs, struct rseq *area, uint64_t n)
{
	uint64_t counted;

	__asm__ volatile(
		".globl reg_rseq_start, reg_rseq_end, reg_rseq_abort\n"
		"1:	incq %[entered]\n"
		"	xor %[counted], %[counted]\n"
		"	mov %[cs], %[word]\n"
		"reg_rseq_start:\n"
		"2:	inc %[counted]\n"
		"	cmp %[n], %[counted]\n"
		"	jb 2b\n"
		"reg_rseq_end:\n"
		"	jmp 3f\n"
		"	.long 0x53053053\n" /* RSEQ_SIG: the kernel looks for it */
		"reg_rseq_abort:\n"
		"	jmp 1b\n"
		"3:\n"
		: [counted] "=&r"(counted), [entered] "+m"(entered), [word] "=m"(area->rseq_cs)
		: [cs] "r"(cs), [n] "r"(n)
		: "memory", "cc");
	return counted;
}

int main(void)
{
	struct rseq *area = (struct rseq *)((char *)__builtin_thread_pointer() + __rseq_offset);
	struct rseq_cs *cs = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
				  -1, 0);

	NEED(cs != MAP_FAILED);
	if (!__rseq_size)
		victim_skip("the C library has registered no area for such sequences");
	*cs = (struct rseq_cs){
		.start_ip = (uint64_t)reg_rseq_start,
		.post_commit_offset = (uint64_t)(reg_rseq_end - reg_rseq_start),
		.abort_ip = (uint64_t)reg_rseq_abort,
	};
	victim_ready();
	while (victim_round())
		for (uint64_t i = 0; i < ROUNDS_; i++) {
			uint64_t before = entered;

			CHECK_EQ(count(cs, area, COUNTS), COUNTS);
			CHECK(entered > before);
		}
	return victim_end();
}
