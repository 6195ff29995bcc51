/* SPDX-License-Identifier: GPL-2.0-or-later */
/* time_alarm.c - one alarm at a time, told how long it still had, and SIGALRM when it is due */
#include "victim.h"

#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

static volatile sig_atomic_t count;

static void on_alarm(int signal)
{
	count++;
}

int main(void)
{
	struct itimerval brief = { .it_value = { 0, 3000 } }, now;
	sigset_t block, open_;
	int n = 0;

	(void)signal(SIGALRM, on_alarm);
	(void)sigemptyset(&block);
	(void)sigaddset(&block, SIGALRM);
	NEED(sigprocmask(SIG_BLOCK, &block, &open_) == 0);
	NEED(alarm(10000) == 0);
	victim_ready();
	while (victim_round()) {
		unsigned int left = alarm(20000);

		CHECK(left > 5000 && left <= 10000);
		left = alarm(0);
		CHECK(left > 15000 && left <= 20000);
		CHECK_EQ(alarm(0), 0);
		CHECK_EQ(count, n);
		/* alarm() and this timer are the same one */
		CHECK_EQ(setitimer(ITIMER_REAL, &brief, NULL), 0);
		while (count == n)
			(void)sigsuspend(&open_);
		CHECK_EQ(count, ++n);
		CHECK_EQ(getitimer(ITIMER_REAL, &now), 0);
		CHECK_EQ(now.it_value.tv_sec + now.it_value.tv_usec, 0);
		CHECK_EQ(alarm(10000), 0);
	}
	return victim_end();
}
