/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mem_shared_child.c - parent and child see each other's writes into shared memory, a word each in
 * turn
 */
#include "victim.h"

#include <stdatomic.h>
#include <sched.h>
#include <sys/mman.h>

#define N_TURNS 50

static struct shared {
	_Atomic uint32_t asked, answered;
	atomic_bool over;
} * shared;

static void answer(void *unused)
{
	while (!shared->over) {
		uint32_t n = shared->asked;

		if (shared->answered != n)
			shared->answered = n;
		else
			victim_pause(50 * 1000);
	}
}

int main(void)
{
	uint32_t n = 0;
	pid_t child;

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	NEED(shared != MAP_FAILED);
	child = victim_child(answer, NULL);
	victim_ready();
	while (victim_round())
		for (int i = 0; i < N_TURNS; i++) {
			shared->asked = ++n;
			while (shared->answered != n)
				(void)sched_yield();
			CHECK_EQ(shared->asked, n);
		}
	shared->over = true;
	victim_reap(child);
	return victim_end();
}
