/* SPDX-License-Identifier: GPL-2.0-or-later */
/* proc_fork_threads.c - a process with threads forks; only the calling thread is in the child */
#include "victim.h"

#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#define N_THREADS 3

static atomic_bool over;
static atomic_long steps;

static void *step(void *unused)
{
	while (!over) {
		steps++;
		victim_pause(1000 * 1000);
	}
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

static void alone(void *unused)
{
	long now = steps;

	CHECK_EQ(n_tasks(), 1);
	CHECK_EQ(getpid(), gettid());
	victim_pause(2 * 1000 * 1000);
	CHECK_EQ(steps, now);
}

int main(void)
{
	pthread_t threads[N_THREADS];

	for (int i = 0; i < N_THREADS; i++)
		NEED(pthread_create(&threads[i], NULL, step, NULL) == 0);
	victim_ready();
	while (victim_round()) {
		long now = steps;

		victim_reap(victim_child(alone, NULL));
		CHECK_EQ(n_tasks(), 1 + N_THREADS);
		while (steps == now)
			victim_pause(1000 * 1000);
	}
	over = true;
	for (int i = 0; i < N_THREADS; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	return victim_end();
}
