/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * thread_create.c - threads are made and joined in each round, with their arguments and their
 * results
 */
#include "victim.h"

#include <pthread.h>
#include <unistd.h>

#define N_THREADS 6

static void *square(void *arg)
{
	long n = (long)arg;
	pid_t me = gettid();

	CHECK(me != getpid());
	victim_pause(1000 * 1000);
	CHECK_EQ(gettid(), me);
	return (void *)(n * n);
}

int main(void)
{
	pthread_t threads[N_THREADS];
	void *result;
	long n = 0;

	victim_ready();
	while (victim_round()) {
		for (int i = 0; i < N_THREADS; i++)
			NEED(pthread_create(&threads[i], NULL, square, (void *)(n + i)) == 0);
		for (int i = 0; i < N_THREADS; i++) {
			CHECK_EQ(pthread_join(threads[i], &result), 0);
			CHECK_EQ((long)result, (n + i) * (n + i));
		}
		n++;
	}
	return victim_end();
}
