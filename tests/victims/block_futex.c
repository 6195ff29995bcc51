/* SPDX-License-Identifier: GPL-2.0-or-later */
/* block_futex.c - one thread waits in a bare futex without a limit until another wakes it */
#include "victim.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

static _Atomic uint32_t word;
static sem_t ask;
static atomic_bool over;

static void *wake(void *unused)
{
	for (;;) {
		while (sem_wait(&ask) < 0)
			;
		if (over)
			return NULL;
		victim_await_nudge();
		victim_pause(5 * 1000 * 1000);
		word++;
		CHECK(syscall(SYS_futex, &word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, NULL, NULL,
			      0) >= 0);
	}
}

int main(void)
{
	pthread_t waker;

	NEED(sem_init(&ask, 0, 0) == 0 && pthread_create(&waker, NULL, wake, NULL) == 0);
	while (victim_round()) {
		uint32_t now = word;
		long r;

		victim_blocking();
		CHECK_EQ(sem_post(&ask), 0);
		while (word == now) {
			r = syscall(SYS_futex, &word, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, now, NULL,
				    NULL, 0);
			CHECK(r == 0 || errno == EAGAIN);
		}
		CHECK_EQ(word, now + 1);
	}
	over = true;
	CHECK_EQ(sem_post(&ask), 0);
	CHECK_EQ(pthread_join(waker, NULL), 0);
	return victim_end();
}
