/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * thread_fifty.c - fifty threads with a stack, a thread-local variable and an id each go on side by
 * side
 */
#include "victim.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#define N_THREADS 50

static _Thread_local long local;
static atomic_bool over;
static atomic_long steps[N_THREADS];

static void *go_on(void *arg)
{
	long me = (long)arg;
	pid_t id = gettid();
	unsigned char stack[3000];

	victim_fill(stack, sizeof(stack), me);
	for (local = 0; !over; local++) {
		CHECK_EQ(gettid(), id);
		CHECK_EQ(local, steps[me]);
		CHECK(victim_is(stack, sizeof(stack), me));
		steps[me]++;
		victim_pause(5 * 1000 * 1000);
	}
	return arg;
}

int main(void)
{
	pthread_t threads[N_THREADS];
	long before[N_THREADS] = { 0 };
	void *result;

	for (long i = 0; i < N_THREADS; i++)
		NEED(pthread_create(&threads[i], NULL, go_on, (void *)i) == 0);
	victim_ready();
	while (victim_round())
		for (int i = 0; i < N_THREADS; i++) {
			while (steps[i] <= before[i])
				victim_pause(1000 * 1000); /* each one makes a step in each round */
			before[i] = steps[i];
		}
	over = true;
	for (long i = 0; i < N_THREADS; i++) {
		CHECK_EQ(pthread_join(threads[i], &result), 0);
		CHECK_EQ((long)result, i);
	}
	return victim_end();
}
