/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * thread_timedwait.c - waits with a time end never before it and say ETIMEDOUT, on two clocks and
 * four locks
 */
#include "victim.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>

#define BRIEF_NS (3 * 1000 * 1000)

static pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER, lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t written = PTHREAD_RWLOCK_INITIALIZER;
static pthread_cond_t never = PTHREAD_COND_INITIALIZER, never_monotonic;
static pthread_barrier_t at_hand;

static void *hold(void *unused)
{
	CHECK_EQ(pthread_mutex_lock(&held), 0);
	CHECK_EQ(pthread_rwlock_wrlock(&written), 0);
	(void)pthread_barrier_wait(&at_hand);
	(void)pthread_barrier_wait(&at_hand);
	CHECK_EQ(pthread_rwlock_unlock(&written), 0);
	CHECK_EQ(pthread_mutex_unlock(&held), 0);
	return NULL;
}

static struct timespec soon(clockid_t clock)
{
	int64_t at = victim_now(clock) + BRIEF_NS;

	return (struct timespec){ at / NS_PER_S, at % NS_PER_S };
}

static bool is_past(struct timespec t, clockid_t clock)
{
	return victim_now(clock) >= t.tv_sec * NS_PER_S + t.tv_nsec;
}

int main(void)
{
	pthread_condattr_t monotonic;
	pthread_t holder;
	sem_t none;

	NEED(pthread_condattr_init(&monotonic) == 0 && sem_init(&none, 0, 0) == 0);
	NEED(pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) == 0);
	NEED(pthread_cond_init(&never_monotonic, &monotonic) == 0);
	NEED(pthread_barrier_init(&at_hand, NULL, 2) == 0);
	NEED(pthread_create(&holder, NULL, hold, NULL) == 0);
	(void)pthread_barrier_wait(&at_hand);
	victim_ready();
	while (victim_round()) {
		struct timespec t = soon(CLOCK_REALTIME);
		int r;

		CHECK_EQ(pthread_mutex_timedlock(&held, &t), ETIMEDOUT);
		CHECK(is_past(t, CLOCK_REALTIME));
		t = soon(CLOCK_REALTIME);
		CHECK_EQ(pthread_rwlock_timedrdlock(&written, &t), ETIMEDOUT);
		CHECK(is_past(t, CLOCK_REALTIME));
		t = soon(CLOCK_REALTIME);
		CHECK_ERR(sem_timedwait(&none, &t), ETIMEDOUT);
		CHECK(is_past(t, CLOCK_REALTIME));

		CHECK_EQ(pthread_mutex_lock(&lock), 0);
		t = soon(CLOCK_REALTIME);
		while ((r = pthread_cond_timedwait(&never, &lock, &t)) == 0)
			; /* woken for no reason: allowed */
		CHECK_EQ(r, ETIMEDOUT);
		CHECK(is_past(t, CLOCK_REALTIME));
		t = soon(CLOCK_MONOTONIC);
		while ((r = pthread_cond_timedwait(&never_monotonic, &lock, &t)) == 0)
			;
		CHECK_EQ(r, ETIMEDOUT);
		CHECK(is_past(t, CLOCK_MONOTONIC));
		CHECK_EQ(pthread_mutex_unlock(&lock), 0);
	}
	(void)pthread_barrier_wait(&at_hand);
	CHECK_EQ(pthread_join(holder, NULL), 0);
	return victim_end();
}
