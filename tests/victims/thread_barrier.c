/* SPDX-License-Identifier: GPL-2.0-or-later */
/* thread_barrier.c - nobody passes a barrier before all are there, and one of them is told so */
#include "victim.h"

#include <pthread.h>
#include <stdatomic.h>

#define N_THREADS 5
#define N_PHASES  5

static pthread_barrier_t barrier;
static atomic_int arrived, serials;
static atomic_bool over;

static void phase(void)
{
	arrived++;
	if (pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD)
		serials++;
	CHECK_EQ(arrived % (N_THREADS + 1), 0);
	(void)pthread_barrier_wait(&barrier);
}

static void *follow(void *unused)
{
	for (;;) {
		(void)pthread_barrier_wait(&barrier);
		if (over)
			return NULL;
		for (int i = 0; i < N_PHASES; i++)
			phase();
	}
}

int main(void)
{
	pthread_t threads[N_THREADS];

	NEED(pthread_barrier_init(&barrier, NULL, N_THREADS + 1) == 0);
	for (int i = 0; i < N_THREADS; i++)
		NEED(pthread_create(&threads[i], NULL, follow, NULL) == 0);
	victim_ready();
	while (victim_round()) {
		serials = 0;
		(void)pthread_barrier_wait(&barrier);
		for (int i = 0; i < N_PHASES; i++)
			phase();
		CHECK_EQ(serials, N_PHASES);
	}
	over = true;
	(void)pthread_barrier_wait(&barrier);
	for (int i = 0; i < N_THREADS; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	return victim_end();
}
