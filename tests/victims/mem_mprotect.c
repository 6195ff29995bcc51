/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mem_mprotect.c - pages made read-only, inaccessible and writable again fault as they should and
 * keep their bytes
 */
#include "fault.h"
#include "victim.h"

#include <signal.h>
#include <sys/mman.h>

#define PAGE 4096
#define N    8

static void check(unsigned char *page, int prot)
{
	struct fault r = fault_of(page + 5, TOUCH_READ), w = fault_of(page + 7, TOUCH_WRITE);

	CHECK_EQ(r.signal, prot & PROT_READ ? 0 : SIGSEGV);
	CHECK_EQ(w.signal, prot & PROT_WRITE ? 0 : SIGSEGV);
	if (w.signal) {
		CHECK_EQ(w.code, SEGV_ACCERR);
		CHECK(w.at == page + 7);
	}
}

int main(void)
{
	static const int prots[] = { PROT_READ | PROT_WRITE, PROT_READ, PROT_NONE };
	unsigned char *at = mmap(NULL, N * PAGE, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int prot[N] = { 0 };
	uint64_t seed = 11;

	NEED(at != MAP_FAILED);
	victim_fill(at, N * PAGE, 1);
	NEED(mprotect(at, N * PAGE, PROT_NONE) == 0);
	victim_ready();
	while (victim_round()) {
		for (int i = 0; i < N; i++) {
			check(at + i * PAGE, prot[i]);
			prot[i] = prots[victim_random(&seed) % 3];
			CHECK_EQ(mprotect(at + i * PAGE, PAGE, prot[i]), 0);
			check(at + i * PAGE, prot[i]);
		}
		if (victim_random(&seed) % 4 == 0) {
			CHECK_EQ(mprotect(at, N * PAGE, PROT_READ), 0);
			CHECK(victim_is(at, N * PAGE, 1));
			for (int i = 0; i < N; i++)
				prot[i] = PROT_READ;
		}
	}
	CHECK_EQ(mprotect(at, N * PAGE, PROT_READ), 0);
	CHECK(victim_is(at, N * PAGE, 1));
	return victim_end();
}
