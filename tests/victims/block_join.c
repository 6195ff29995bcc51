/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * block_join.c - the first thread waits in pthread_join for one that waits in read, that waits for
 * a child
 */
#include "victim.h"

#include <pthread.h>
#include <unistd.h>

static int pipe_[2];

static void wake(void *unused)
{
	CHECK_EQ(write(pipe_[1], "w", 1), 1);
}

static void *read_one(void *unused)
{
	char byte = 0;

	CHECK_EQ(read(pipe_[0], &byte, 1), 1);
	return (void *)(long)byte;
}

int main(void)
{
	struct waker waker;

	NEED(pipe(pipe_) == 0);
	waker = victim_waker(wake, NULL);
	while (victim_round()) {
		pthread_t reader;
		void *result;

		NEED(pthread_create(&reader, NULL, read_one, NULL) == 0);
		victim_wait(&waker);
		CHECK_EQ(pthread_join(reader, &result), 0);
		CHECK_EQ((long)result, 'w');
	}
	victim_waker_end(&waker);
	return victim_end();
}
