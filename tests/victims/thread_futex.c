/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * thread_futex.c - bare futexes: wait, wake, requeue, bitsets, a changed word, relative and
 * absolute times
 */
#include "victim.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

#define N_THREADS 3

static _Atomic uint32_t word, other;
static atomic_int woken, waiting;

static long futex(_Atomic uint32_t *at, int op, uint32_t val, const void *time, void *at2,
		  uint32_t val3)
{
	return syscall(SYS_futex, at, op | FUTEX_PRIVATE_FLAG, val, time, at2, val3);
}

static void *wait_once(void *unused)
{
	uint32_t now = word;

	waiting++;
	while (word == now)
		(void)futex(&word, FUTEX_WAIT, now, NULL, NULL, 0);
	woken++;
	return NULL;
}

static void times(void)
{
	const struct timespec brief = { 0, 2 * 1000 * 1000 };
	int64_t at = victim_now(CLOCK_MONOTONIC) + 2 * 1000 * 1000;
	struct timespec until = { at / NS_PER_S, at % NS_PER_S };
	int64_t began = victim_now(CLOCK_MONOTONIC);

	CHECK_ERR(futex(&other, FUTEX_WAIT_BITSET, 0, &until, NULL, 1), ETIMEDOUT);
	CHECK(victim_now(CLOCK_MONOTONIC) >= at);
	CHECK_ERR(futex(&other, FUTEX_WAIT, 0, &brief, NULL, 0), ETIMEDOUT);
	CHECK(victim_now(CLOCK_MONOTONIC) - began >= brief.tv_nsec);
	CHECK_ERR(futex(&other, FUTEX_WAIT, 1, NULL, NULL, 0), EAGAIN);
}

int main(void)
{
	pthread_t threads[N_THREADS];

	victim_ready();
	while (victim_round()) {
		int moved = 0;

		woken = waiting = 0;
		for (int i = 0; i < N_THREADS; i++)
			NEED(pthread_create(&threads[i], NULL, wait_once, NULL) == 0);
		while (waiting < N_THREADS)
			victim_pause(200 * 1000);
		CHECK_EQ(woken, 0);
		/* those that sleep already go over to the other word; none is woken by that */
		moved = (int)futex(&word, FUTEX_CMP_REQUEUE, 0, (void *)(long)INT_MAX, &other,
				   word);
		CHECK(moved >= 0 && moved <= N_THREADS);
		CHECK_EQ(woken, 0);
		word++;
		CHECK(futex(&other, FUTEX_WAKE, INT_MAX, NULL, NULL, 0) <= N_THREADS);
		(void)futex(&word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
		for (int i = 0; i < N_THREADS; i++)
			CHECK_EQ(pthread_join(threads[i], NULL), 0);
		CHECK_EQ(woken, N_THREADS);
		times();
	}
	return victim_end();
}
