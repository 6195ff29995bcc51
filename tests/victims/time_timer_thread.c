/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * time_timer_thread.c - a POSIX timer that notifies by a thread runs its function in a new thread
 * each time
 */
#include "victim.h"

#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

static sem_t ran;
static atomic_int wrong;

static void on_timer(union sigval value)
{
	wrong += value.sival_int != 77 || gettid() == getpid();
	(void)sem_post(&ran);
}

int main(void)
{
	struct sigevent event = { .sigev_notify = SIGEV_THREAD,
				  .sigev_notify_function = on_timer,
				  .sigev_value = { .sival_int = 77 } };
	struct itimerspec brief = { { 0, 0 }, { 0, 2 * 1000 * 1000 } };
	timer_t timer;

	NEED(sem_init(&ran, 0, 0) == 0 && timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
	victim_ready();
	while (victim_round()) {
		CHECK_EQ(timer_settime(timer, 0, &brief, NULL), 0);
		CHECK_EQ(sem_wait(&ran), 0);
		CHECK_EQ(wrong, 0);
	}
	CHECK_EQ(timer_delete(timer), 0);
	return victim_end();
}
