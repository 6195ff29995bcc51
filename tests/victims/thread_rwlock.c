/* SPDX-License-Identifier: GPL-2.0-or-later */
/* thread_rwlock.c - readers share a lock and never see half of what a writer writes */
#include "victim.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

#define N_READERS 3
#define N_WRITERS 2

static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
static long a, b;
static atomic_bool over;

static void *read_both(void *unused)
{
	while (!over) {
		CHECK_EQ(pthread_rwlock_rdlock(&lock), 0);
		CHECK_EQ(a, b);
		CHECK_EQ(pthread_rwlock_unlock(&lock), 0);
		victim_pause(300 * 1000);
	}
	return NULL;
}

static void *write_both(void *unused)
{
	while (!over) {
		CHECK_EQ(pthread_rwlock_wrlock(&lock), 0);
		a++;
		victim_pause(100 * 1000);
		b++;
		CHECK_EQ(pthread_rwlock_unlock(&lock), 0);
		victim_pause(700 * 1000);
	}
	return NULL;
}

int main(void)
{
	pthread_t threads[N_READERS + N_WRITERS];

	for (int i = 0; i < N_READERS + N_WRITERS; i++)
		NEED(pthread_create(&threads[i], NULL, i < N_READERS ? read_both : write_both,
				    NULL) == 0);
	victim_ready();
	while (victim_round()) {
		CHECK_EQ(pthread_rwlock_rdlock(&lock), 0);
		CHECK_EQ(a, b);
		CHECK_EQ(pthread_rwlock_trywrlock(&lock), EBUSY);
		CHECK_EQ(pthread_rwlock_unlock(&lock), 0);
		CHECK_EQ(pthread_rwlock_wrlock(&lock), 0);
		CHECK_EQ(pthread_rwlock_rdlock(&lock), EDEADLK); /* known by its thread id */
		CHECK_EQ(pthread_rwlock_unlock(&lock), 0);
	}
	over = true;
	for (int i = 0; i < N_READERS + N_WRITERS; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	return victim_end();
}
