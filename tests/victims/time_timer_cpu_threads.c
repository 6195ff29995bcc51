/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * time_timer_cpu_threads.c - each thread's timer on its own processor time signals that thread, with
 * what was missed, and new ones can be made and deleted; a set one is told, and an absolute time is one of its clock
 */
#include "victim.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

#define N	 3
#define SPEND_NS (3 * 1000 * 1000)
#define HOUR	 3600

static _Thread_local volatile sig_atomic_t fired, value, wrong;
static atomic_bool over;

static void on_timer(int signal, siginfo_t *info, void *context)
{
	fired += 1 + info->si_overrun;
	value = info->si_value.sival_int;
	wrong += info->si_code != SI_TIMER;
}

/* of the thread that calls it; not all C libraries have the member's name */
static timer_t make(clockid_t clock, int signo, int value_)
{
	struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID,
				  .sigev_signo = signo,
				  .sigev_value = { .sival_int = value_ } };
	timer_t timer;

	event._sigev_un._tid = (int)syscall(SYS_gettid);
	NEED(timer_create(clock, &event, &timer) == 0);
	return timer;
}

static void spend(int n)
{
	while (fired < n)
		for (volatile int i = 0; i < 1000; i++)
			;
}

static void *work(void *arg)
{
	const struct itimerspec every = { { 0, SPEND_NS }, { 0, SPEND_NS } };
	int me = (int)(intptr_t)arg;
	timer_t mine = make(CLOCK_THREAD_CPUTIME_ID, SIGRTMIN, me);

	while (!over) {
		int64_t began = victim_now(CLOCK_MONOTONIC);
		int before = fired, n;

		CHECK_EQ(timer_settime(mine, 0, &every, NULL), 0);
		spend(before + 3);
		n = fired - before;
		CHECK_EQ(value, me);
		CHECK_EQ(wrong, 0);
		/* no thread computes for longer than time passes; CPU clocks step back at home */
		CHECK(victim_now(CLOCK_MONOTONIC) - began >= (int64_t)n * SPEND_NS);
		CHECK_EQ(timer_settime(mine, 0, &(struct itimerspec){ 0 }, NULL), 0);
		victim_pause(NS_PER_S / 50);
	}
	CHECK_EQ(timer_delete(mine), 0);
	return NULL;
}

static void main_checks(timer_t hour)
{
	struct itimerspec left, spend_at = { 0 }, was;
	timer_t process = make(CLOCK_PROCESS_CPUTIME_ID, SIGRTMIN, 99);
	int64_t at = victim_now(CLOCK_PROCESS_CPUTIME_ID) + SPEND_NS;
	int before = fired;

	CHECK_EQ(timer_gettime(hour, &left), 0);
	CHECK(left.it_value.tv_sec < HOUR && left.it_value.tv_sec > HOUR - 900);
	CHECK_EQ(left.it_interval.tv_sec, 7);
	spend_at.it_value.tv_sec = at / NS_PER_S;
	spend_at.it_value.tv_nsec = at % NS_PER_S;
	CHECK_EQ(timer_settime(process, TIMER_ABSTIME, &spend_at, &was), 0);
	CHECK_EQ(was.it_value.tv_sec + was.it_value.tv_nsec, 0);
	spend(before + 1);
	CHECK_EQ(fired, before + 1);
	CHECK_EQ(value, 99);
	CHECK_EQ(timer_gettime(process, &left), 0);
	CHECK_EQ(left.it_value.tv_sec + left.it_value.tv_nsec, 0);
	CHECK_EQ(timer_delete(process), 0);
	CHECK_ERR(timer_delete(process), EINVAL);
	left.it_value.tv_nsec = NS_PER_S;
	CHECK_ERR(timer_settime(hour, 0, &left, NULL), EINVAL);
}

int main(void)
{
	struct sigaction sa = { .sa_sigaction = on_timer, .sa_flags = SA_SIGINFO | SA_RESTART };
	const struct itimerspec long_time = { { 7, 0 }, { HOUR, 0 } };
	pthread_t threads[N];
	timer_t hour;

	NEED(sigaction(SIGRTMIN, &sa, NULL) == 0);
	hour = make(CLOCK_THREAD_CPUTIME_ID, SIGRTMIN, 5);
	NEED(timer_settime(hour, 0, &long_time, NULL) == 0);
	for (int i = 0; i < N; i++)
		NEED(pthread_create(&threads[i], NULL, work, (void *)(intptr_t)i) == 0);
	victim_ready();
	while (victim_round())
		main_checks(hour);
	over = true;
	for (int i = 0; i < N; i++)
		NEED(pthread_join(threads[i], NULL) == 0);
	return victim_end();
}
