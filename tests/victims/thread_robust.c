/* SPDX-License-Identifier: GPL-2.0-or-later */
/* thread_robust.c - a robust mutex whose owner ended says EOWNERDEAD to the next one, once */
#include "victim.h"

#include <errno.h>
#include <pthread.h>

static pthread_mutex_t lock;

static void *die_with_it(void *unused)
{
	CHECK_EQ(pthread_mutex_lock(&lock), 0);
	victim_pause(1000 * 1000);
	return NULL; /* the kernel walks the robust list and marks the mutex by the thread's id */
}

int main(void)
{
	pthread_mutexattr_t a;
	pthread_t owner;

	NEED(pthread_mutexattr_init(&a) == 0);
	NEED(pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST) == 0);
	NEED(pthread_mutex_init(&lock, &a) == 0);
	victim_ready();
	while (victim_round()) {
		NEED(pthread_create(&owner, NULL, die_with_it, NULL) == 0);
		CHECK_EQ(pthread_join(owner, NULL), 0);
		if (!CHECK_EQ(pthread_mutex_lock(&lock), EOWNERDEAD))
			break;
		CHECK_EQ(pthread_mutex_consistent(&lock), 0);
		CHECK_EQ(pthread_mutex_unlock(&lock), 0);
		CHECK_EQ(pthread_mutex_lock(&lock), 0);
		CHECK_EQ(pthread_mutex_unlock(&lock), 0);
	}
	return victim_end();
}
