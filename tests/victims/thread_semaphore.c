/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * thread_semaphore.c - a ball goes round through the semaphores of six threads, one holder at a
 * time
 */
#include "victim.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>

#define N_THREADS 6
#define N_TURNS	  20

static sem_t seats[N_THREADS + 1];
static long ball;
static bool over;

static void *pass_on(void *arg)
{
	long me = (long)arg;

	for (;;) {
		bool last;

		CHECK_EQ(sem_wait(&seats[me]), 0);
		last = over; /* it may become true as soon as the ball is passed on */
		ball += !last;
		CHECK_EQ(sem_post(&seats[me + 1]), 0);
		if (last)
			return NULL;
	}
}

int main(void)
{
	pthread_t threads[N_THREADS];
	int value;

	for (int i = 0; i <= N_THREADS; i++)
		NEED(sem_init(&seats[i], 0, 0) == 0);
	for (long i = 0; i < N_THREADS; i++)
		NEED(pthread_create(&threads[i], NULL, pass_on, (void *)i) == 0);
	victim_ready();
	while (victim_round()) {
		long before = ball;

		for (int i = 0; i < N_TURNS; i++) {
			CHECK_EQ(sem_post(&seats[0]), 0);
			CHECK_EQ(sem_wait(&seats[N_THREADS]), 0);
		}
		CHECK_EQ(ball - before, N_TURNS * N_THREADS);
		CHECK_EQ(sem_getvalue(&seats[N_THREADS], &value), 0);
		CHECK_EQ(value, 0);
		CHECK_ERR(sem_trywait(&seats[N_THREADS]), EAGAIN);
	}
	over = true;
	CHECK_EQ(sem_post(&seats[0]), 0);
	for (int i = 0; i < N_THREADS; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	return victim_end();
}
