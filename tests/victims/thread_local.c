/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * thread_local.c - thread-local variables, errno and pthread keys are each thread's own, and
 * destructors run
 */
#include "victim.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#define N_THREADS 4

static _Thread_local long zero, preset = 77;
static _Thread_local unsigned char large[10000];
static pthread_key_t key;
static atomic_int destroyed;

static void destroy(void *value)
{
	destroyed += (int)(long)value;
}

static void *use(void *arg)
{
	long me = (long)arg;

	CHECK_EQ(zero, 0);
	CHECK_EQ(preset, 77);
	CHECK_EQ(large[9999], 0);
	CHECK(pthread_getspecific(key) == NULL);
	CHECK_EQ(pthread_setspecific(key, arg), 0);
	for (int i = 0; i < 5; i++) {
		zero += me;
		preset -= me;
		victim_fill(large, sizeof(large), me);
		errno = (int)me;
		(void)sysconf(_SC_PAGESIZE);
		CHECK_EQ(errno, me);
		victim_pause(500 * 1000);
		CHECK_EQ(zero, (i + 1) * me);
		CHECK_EQ(preset, 77 - (i + 1) * me);
		CHECK(victim_is(large, sizeof(large), me));
		CHECK_EQ((long)pthread_getspecific(key), me);
	}
	return NULL;
}

int main(void)
{
	pthread_t threads[N_THREADS];

	NEED(pthread_key_create(&key, destroy) == 0);
	zero = -1;
	victim_ready();
	while (victim_round()) {
		destroyed = 0;
		for (long i = 0; i < N_THREADS; i++)
			NEED(pthread_create(&threads[i], NULL, use, (void *)(i + 1)) == 0);
		for (int i = 0; i < N_THREADS; i++)
			CHECK_EQ(pthread_join(threads[i], NULL), 0);
		CHECK_EQ(destroyed, 1 + 2 + 3 + 4);
		CHECK_EQ(zero, -1);
		CHECK_EQ(preset, 77);
	}
	return victim_end();
}
