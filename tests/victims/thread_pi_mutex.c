/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * thread_pi_mutex.c - priority-inheriting mutexes, which the kernel owns by thread id, lock and
 * hand over
 */
#include "victim.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

#define N_THREADS 3

static pthread_mutex_t lock;
static long inside, passes;
static atomic_bool over;

static void *pass(void *unused)
{
	while (!over) {
		CHECK_EQ(pthread_mutex_lock(&lock), 0);
		CHECK_EQ(++inside, 1);
		victim_pause(500 * 1000);
		CHECK_EQ(--inside, 0);
		passes++;
		CHECK_EQ(pthread_mutex_unlock(&lock), 0);
		victim_pause(200 * 1000);
	}
	return NULL;
}

int main(void)
{
	pthread_t threads[N_THREADS];
	pthread_mutexattr_t a;
	long before = 0;

	NEED(pthread_mutexattr_init(&a) == 0);
	NEED(pthread_mutexattr_setprotocol(&a, PTHREAD_PRIO_INHERIT) == 0);
	NEED(pthread_mutexattr_settype(&a, PTHREAD_MUTEX_ERRORCHECK) == 0);
	NEED(pthread_mutex_init(&lock, &a) == 0);
	for (int i = 0; i < N_THREADS; i++)
		NEED(pthread_create(&threads[i], NULL, pass, NULL) == 0);
	victim_ready();
	while (victim_round()) {
		CHECK_EQ(pthread_mutex_lock(&lock), 0);
		CHECK_EQ(inside, 0);
		CHECK(passes >= before);
		before = passes;
		CHECK_EQ(pthread_mutex_lock(&lock), EDEADLK);
		CHECK_EQ(pthread_mutex_unlock(&lock), 0);
	}
	over = true;
	for (int i = 0; i < N_THREADS; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	return victim_end();
}
