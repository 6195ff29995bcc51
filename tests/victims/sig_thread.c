/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sig_thread.c - a signal to a thread is handled by that thread, one to the process by one that
 * lets it in
 */
#include "victim.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#define N 3

static _Thread_local int me = -1;
static atomic_int handled[N], strangers;
static atomic_bool over;
static atomic_int at_work;

static void on_signal(int signal, siginfo_t *info, void *context)
{
	if (me < 0)
		strangers++;
	else
		handled[me]++;
}

static void *serve(void *arg)
{
	sigset_t set;

	me = (int)(long)arg;
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGUSR2);
	/* only the last of them takes what is for the process */
	CHECK_EQ(pthread_sigmask(me == N - 1 ? SIG_UNBLOCK : SIG_BLOCK, &set, NULL), 0);
	at_work++;
	while (!over)
		victim_pause(2 * 1000 * 1000);
	return NULL;
}

static void await(int who, int count)
{
	while (handled[who] < count)
		victim_pause(200 * 1000);
	CHECK_EQ(handled[who], count);
}

int main(void)
{
	struct sigaction sa = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART };
	pthread_t threads[N];
	sigset_t set;
	int n = 0;

	NEED(sigaction(SIGUSR1, &sa, NULL) == 0 && sigaction(SIGUSR2, &sa, NULL) == 0);
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGUSR2);
	NEED(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);
	for (long i = 0; i < N; i++)
		NEED(pthread_create(&threads[i], NULL, serve, (void *)i) == 0);
	while (at_work < N)
		victim_pause(1000 * 1000);
	victim_ready();
	while (victim_round()) {
		n++;
		for (int i = 0; i < N - 1; i++) {
			CHECK_EQ(pthread_kill(threads[i], SIGUSR1), 0);
			await(i, n);
		}
		CHECK_EQ(kill(getpid(), SIGUSR2), 0);
		await(N - 1, n);
		CHECK_EQ(strangers, 0);
	}
	over = true;
	for (int i = 0; i < N; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	return victim_end();
}
