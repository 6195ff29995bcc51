/* SPDX-License-Identifier: GPL-2.0-or-later */
/* thread_name.c - each thread has the name it was given, by call and in /proc */
#include "victim.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

static pthread_barrier_t meet;
static atomic_int other_tid;
static bool over;

static void *bear(void *unused)
{
	other_tid = gettid();
	for (;;) {
		(void)pthread_barrier_wait(&meet);
		if (over)
			return NULL;
		(void)pthread_barrier_wait(&meet);
	}
}

int main(void)
{
	char want[16], got[64], path[64];
	pthread_t other;
	int n = 0;

	NEED(pthread_barrier_init(&meet, NULL, 2) == 0);
	NEED(pthread_create(&other, NULL, bear, NULL) == 0);
	(void)pthread_barrier_wait(&meet);
	(void)pthread_barrier_wait(&meet);
	victim_ready();
	while (victim_round()) {
		(void)pthread_barrier_wait(&meet);
		(void)snprintf(want, sizeof(want), "name %d", n++);
		CHECK_EQ(pthread_setname_np(other, want), 0);
		CHECK_EQ(pthread_getname_np(other, got, sizeof(got)), 0);
		CHECK_STR(got, want);
		(void)snprintf(path, sizeof(path), "/proc/self/task/%d/comm", other_tid);
		(void)strcat(want, "\n");
		CHECK(victim_slurp(path, got, sizeof(got)) > 0);
		CHECK_STR(got, want);

		(void)snprintf(want, sizeof(want), "main %d", n);
		CHECK_EQ(prctl(PR_SET_NAME, want), 0);
		CHECK_EQ(prctl(PR_GET_NAME, got), 0);
		CHECK_STR(got, want);
		(void)strcat(want, "\n");
		CHECK(victim_slurp("/proc/self/comm", got, sizeof(got)) > 0);
		CHECK_STR(got, want);
		(void)pthread_barrier_wait(&meet);
	}
	over = true;
	(void)pthread_barrier_wait(&meet);
	CHECK_EQ(pthread_join(other, NULL), 0);
	return victim_end();
}
