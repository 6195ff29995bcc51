/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * thread_condvar.c - producers and consumers hand over each item once, through a ring with two
 * conditions
 */
#include "victim.h"

#include <pthread.h>

#define N_EACH	3
#define RING	7
#define N_ITEMS 40

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t room = PTHREAD_COND_INITIALIZER, items = PTHREAD_COND_INITIALIZER;
static pthread_barrier_t turn;
static long ring[RING];
static unsigned int put, taken;
static long sums[N_EACH];
static bool over;

static void hand_over(long item)
{
	CHECK_EQ(pthread_mutex_lock(&lock), 0);
	while (put - taken == RING)
		CHECK_EQ(pthread_cond_wait(&room, &lock), 0);
	ring[put++ % RING] = item;
	CHECK_EQ(pthread_cond_signal(&items), 0);
	CHECK_EQ(pthread_mutex_unlock(&lock), 0);
}

static long take(void)
{
	long item;

	CHECK_EQ(pthread_mutex_lock(&lock), 0);
	while (put == taken)
		CHECK_EQ(pthread_cond_wait(&items, &lock), 0);
	item = ring[taken++ % RING];
	CHECK_EQ(pthread_cond_signal(&room), 0);
	CHECK_EQ(pthread_mutex_unlock(&lock), 0);
	return item;
}

/* the beginning and the end of a round, for all */
static bool round_begins(void)
{
	(void)pthread_barrier_wait(&turn);
	return !over;
}

static void *produce(void *arg)
{
	while (round_begins()) {
		for (long i = 1; i <= N_ITEMS; i++)
			hand_over(i * (1 + (long)arg));
		(void)pthread_barrier_wait(&turn);
	}
	return NULL;
}

static void *consume(void *arg)
{
	while (round_begins()) {
		for (int i = 0; i < N_ITEMS; i++)
			sums[(long)arg] += take();
		(void)pthread_barrier_wait(&turn);
	}
	return NULL;
}

int main(void)
{
	pthread_t threads[2 * N_EACH];

	NEED(pthread_barrier_init(&turn, NULL, 2 * N_EACH + 1) == 0);
	for (long i = 0; i < N_EACH; i++) {
		NEED(pthread_create(&threads[2 * i], NULL, produce, (void *)i) == 0);
		NEED(pthread_create(&threads[2 * i + 1], NULL, consume, (void *)i) == 0);
	}
	victim_ready();
	while (victim_round()) {
		for (int i = 0; i < N_EACH; i++)
			sums[i] = 0;
		(void)pthread_barrier_wait(&turn);
		(void)pthread_barrier_wait(&turn);
		CHECK_EQ(sums[0] + sums[1] + sums[2], (1 + 2 + 3) * N_ITEMS * (N_ITEMS + 1) / 2);
		CHECK_EQ(put - taken, 0);
	}
	over = true;
	(void)pthread_barrier_wait(&turn);
	for (int i = 0; i < 2 * N_EACH; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	return victim_end();
}
