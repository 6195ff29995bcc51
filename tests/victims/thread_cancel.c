/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * thread_cancel.c - a thread is cancelled out of a call that waits, and only then; its cleanup runs
 */
#include "victim.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <unistd.h>

static int pipe_[2];
static sem_t here;
static atomic_int cleaned;

static void clean(void *unused)
{
	cleaned++;
}

static void *wait_for_ever(void *arg)
{
	char byte;

	pthread_cleanup_push(clean, NULL);
	CHECK_EQ(sem_post(&here), 0);
	switch ((long)arg) {
	case 0:
		(void)read(pipe_[0], &byte, 1);
		break;
	case 1:
		(void)pause();
		break;
	default:
		(void)sleep(1000);
	}
	CHECK(!"it came back");
	pthread_cleanup_pop(0);
	return NULL;
}

static void *not_now(void *unused)
{
	int old;

	CHECK_EQ(pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old), 0);
	CHECK_EQ(sem_post(&here), 0);
	victim_pause(2 * 1000 * 1000);
	return (void *)5;
}

int main(void)
{
	pthread_t thread;
	void *result;
	int n = 0;

	NEED(pipe(pipe_) == 0 && sem_init(&here, 0, 0) == 0);
	victim_ready();
	while (victim_round()) {
		for (long how = 0; how < 3; how++) {
			NEED(pthread_create(&thread, NULL, wait_for_ever, (void *)how) == 0);
			CHECK_EQ(sem_wait(&here), 0);
			CHECK_EQ(pthread_cancel(thread), 0);
			CHECK_EQ(pthread_join(thread, &result), 0);
			CHECK(result == PTHREAD_CANCELED);
			CHECK_EQ(cleaned, ++n);
		}
		NEED(pthread_create(&thread, NULL, not_now, NULL) == 0);
		CHECK_EQ(sem_wait(&here), 0);
		CHECK_EQ(pthread_cancel(thread), 0);
		CHECK_EQ(pthread_join(thread, &result), 0);
		CHECK_EQ((long)result, 5);
	}
	return victim_end();
}
