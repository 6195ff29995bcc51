/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * time_timer_signal.c - POSIX timers send their signal with their value, count overruns and tell
 * what is left
 */
#include "victim.h"

#include <errno.h>
#include <signal.h>

#define PERIOD_NS (2 * 1000 * 1000)

static volatile sig_atomic_t count, value, code;
static volatile long overruns;
static timer_t periodic;

static void on_timer(int signal, siginfo_t *info, void *context)
{
	count++;
	value = info->si_value.sival_int;
	code = info->si_code;
	overruns += timer_getoverrun(periodic);
}

int main(void)
{
	struct sigaction sa = { .sa_sigaction = on_timer, .sa_flags = SA_SIGINFO | SA_RESTART };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL,
				  .sigev_signo = SIGRTMIN,
				  .sigev_value = { .sival_int = 1234 } };
	struct itimerspec every = { { 0, PERIOD_NS }, { 0, PERIOD_NS } },
			  hour = { { 0, 0 }, { 3600, 0 } };
	timer_t once;
	int64_t began;
	int seen = 0;

	NEED(sigaction(SIGRTMIN, &sa, NULL) == 0);
	NEED(timer_create(CLOCK_MONOTONIC, &event, &periodic) == 0);
	event.sigev_value.sival_int = 5;
	NEED(timer_create(CLOCK_BOOTTIME, &event, &once) == 0);
	began = victim_now(CLOCK_MONOTONIC);
	NEED(timer_settime(periodic, 0, &every, NULL) == 0 &&
	     timer_settime(once, 0, &hour, NULL) == 0);
	victim_ready();
	while (victim_round()) {
		struct itimerspec left;

		while (count == seen)
			victim_pause(1000 * 1000);
		seen = count;
		CHECK_EQ(value, 1234);
		CHECK_EQ(code, SI_TIMER);
		CHECK(count + overruns <= (victim_now(CLOCK_MONOTONIC) - began) / PERIOD_NS);
		CHECK_EQ(timer_gettime(periodic, &left), 0);
		CHECK_EQ(left.it_interval.tv_nsec, PERIOD_NS);
		CHECK_EQ(timer_gettime(once, &left), 0);
		CHECK(left.it_value.tv_sec < 3600 && left.it_value.tv_sec > 1800);
	}
	CHECK_EQ(timer_delete(periodic), 0);
	CHECK_EQ(timer_delete(once), 0);
	CHECK_ERR(timer_delete(once), EINVAL);
	return victim_end();
}
