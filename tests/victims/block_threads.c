/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * block_threads.c - five threads wait at once in read, poll, accept, nanosleep and a futex, and all
 * come back
 */
#include "victim.h"

#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define N 5

static int read_[2], poll_[2], listener;
static struct sockaddr_un name = { .sun_family = AF_UNIX, .sun_path = "socket" };
static pthread_barrier_t begin_, end_;
static sem_t never;
static atomic_bool over;

static void wake(void *unused)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	CHECK_EQ(write(read_[1], "w", 1), 1);
	CHECK_EQ(write(poll_[1], "w", 1), 1);
	CHECK_EQ(connect(fd, (void *)&name, sizeof(name)), 0);
	(void)close(fd);
}

static void *wait_in(void *how)
{
	for (;;) {
		struct pollfd p = { poll_[0], POLLIN, 0 };
		struct timespec until;
		char byte;
		int64_t at;

		(void)pthread_barrier_wait(&begin_);
		if (over)
			return NULL;
		switch ((long)how) {
		case 0:
			CHECK_EQ(read(read_[0], &byte, 1), 1);
			break;
		case 1:
			CHECK_EQ(poll(&p, 1, -1), 1);
			CHECK_EQ(read(poll_[0], &byte, 1), 1);
			break;
		case 2:
			CHECK_EQ(close(accept(listener, NULL, NULL)), 0);
			break;
		case 3:
			victim_pause(20 * 1000 * 1000);
			break;
		default:
			at = victim_now(CLOCK_REALTIME) + 20 * 1000 * 1000;
			until = (struct timespec){ at / NS_PER_S, at % NS_PER_S };
			CHECK_EQ(sem_timedwait(&never, &until), -1);
		}
		(void)pthread_barrier_wait(&end_);
	}
}

int main(void)
{
	pthread_t threads[N];
	struct waker waker;

	victim_scratch();
	listener = socket(AF_UNIX, SOCK_STREAM, 0);
	NEED(listener >= 0 && bind(listener, (void *)&name, sizeof(name)) == 0 &&
	     listen(listener, 5) == 0);
	NEED(pipe(read_) == 0 && pipe(poll_) == 0 && sem_init(&never, 0, 0) == 0);
	NEED(pthread_barrier_init(&begin_, NULL, N + 1) == 0 &&
	     pthread_barrier_init(&end_, NULL, N + 1) == 0);
	waker = victim_waker(wake, NULL);
	for (long i = 0; i < N; i++)
		NEED(pthread_create(&threads[i], NULL, wait_in, (void *)i) == 0);
	while (victim_round()) {
		(void)pthread_barrier_wait(&begin_);
		victim_wait(&waker);
		(void)pthread_barrier_wait(&end_);
	}
	over = true;
	(void)pthread_barrier_wait(&begin_);
	for (int i = 0; i < N; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	victim_waker_end(&waker);
	return victim_end();
}
