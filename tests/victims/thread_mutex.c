/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * thread_mutex.c - no increment under a mutex is lost, whether it is of the plain, recursive or
 * checking kind
 */
#include "victim.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

#define N_THREADS 4
#define N_ADDS	  500
#define N_KINDS	  3

static const int kinds[N_KINDS] = { PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_RECURSIVE,
				    PTHREAD_MUTEX_ERRORCHECK };
static pthread_mutex_t locks[N_KINDS];
static long counts[N_KINDS], expected[N_KINDS][N_THREADS];
static atomic_bool over;

static void *add(void *arg)
{
	long me = (long)arg;

	while (!over) {
		for (int k = 0; k < N_KINDS; k++)
			for (int i = 0; i < N_ADDS; i++) {
				CHECK_EQ(pthread_mutex_lock(&locks[k]), 0);
				counts[k]++;
				expected[k][me]++;
				CHECK_EQ(pthread_mutex_unlock(&locks[k]), 0);
			}
		victim_pause(2 * 1000 * 1000);
	}
	return NULL;
}

int main(void)
{
	pthread_t threads[N_THREADS];

	for (int k = 0; k < N_KINDS; k++) {
		pthread_mutexattr_t a;

		NEED(pthread_mutexattr_init(&a) == 0 &&
		     pthread_mutexattr_settype(&a, kinds[k]) == 0);
		NEED(pthread_mutex_init(&locks[k], &a) == 0);
	}
	for (long i = 0; i < N_THREADS; i++)
		NEED(pthread_create(&threads[i], NULL, add, (void *)i) == 0);
	victim_ready();
	while (victim_round())
		for (int k = 0; k < N_KINDS; k++) {
			long sum = 0;

			CHECK_EQ(pthread_mutex_lock(&locks[k]), 0);
			for (int i = 0; i < N_THREADS; i++)
				sum += expected[k][i];
			CHECK_EQ(counts[k], sum);
			/* the owner is known by its thread id */
			if (kinds[k] == PTHREAD_MUTEX_ERRORCHECK)
				CHECK_EQ(pthread_mutex_lock(&locks[k]), EDEADLK);
			if (kinds[k] == PTHREAD_MUTEX_RECURSIVE) {
				CHECK_EQ(pthread_mutex_lock(&locks[k]), 0);
				CHECK_EQ(pthread_mutex_unlock(&locks[k]), 0);
			}
			CHECK_EQ(pthread_mutex_unlock(&locks[k]), 0);
			/* not the owner any more */
			if (kinds[k] != PTHREAD_MUTEX_NORMAL)
				CHECK_EQ(pthread_mutex_unlock(&locks[k]), EPERM);
		}
	over = true;
	for (int i = 0; i < N_THREADS; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	return victim_end();
}
