/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * thread_detached.c - detached threads run to their end, and nothing of them is left in
 * /proc/self/task
 */
#include "victim.h"

#include <dirent.h>
#include <pthread.h>
#include <semaphore.h>

#define N_THREADS 4

static sem_t done;

static void *post(void *unused)
{
	victim_pause(1000 * 1000);
	CHECK_EQ(sem_post(&done), 0);
	return NULL;
}

static int n_tasks(void)
{
	DIR *d = opendir("/proc/self/task");
	int n = 0;

	NEED(d != NULL);
	for (struct dirent *e; (e = readdir(d));)
		n += e->d_name[0] != '.';
	(void)closedir(d);
	return n;
}

int main(void)
{
	pthread_attr_t detached;
	pthread_t thread;

	NEED(sem_init(&done, 0, 0) == 0 && pthread_attr_init(&detached) == 0);
	NEED(pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED) == 0);
	victim_ready();
	while (victim_round()) {
		for (int i = 0; i < N_THREADS; i++)
			NEED(pthread_create(&thread, &detached, post, NULL) == 0);
		for (int i = 0; i < N_THREADS; i++)
			CHECK_EQ(sem_wait(&done), 0);
		/* they are past their last step; when the kernel has put them away is its own
		 * affair */
		while (n_tasks() > 1)
			victim_pause(500 * 1000);
		CHECK_EQ(n_tasks(), 1);
	}
	return victim_end();
}
