/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sig_timedwait.c - sigwaitinfo and sigtimedwait take signals with their value, and end with EAGAIN
 * in time
 */
#include "victim.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

static void send(void *victim)
{
	victim_pause(1000 * 1000);
	CHECK_EQ(sigqueue(*(pid_t *)victim, SIGRTMIN, (union sigval){ .sival_int = 42 }), 0);
}

int main(void)
{
	const struct timespec brief = { 0, 3 * 1000 * 1000 }, none = { 0, 0 },
			      forever = { 3600, 0 };
	pid_t me = getpid();
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGRTMIN);
	NEED(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
	victim_ready();
	while (victim_round()) {
		siginfo_t info;
		int64_t began = victim_now(CLOCK_MONOTONIC);
		pid_t child;

		CHECK_ERR(sigtimedwait(&set, &info, &none), EAGAIN);
		CHECK_ERR(sigtimedwait(&set, &info, &brief), EAGAIN);
		CHECK(victim_now(CLOCK_MONOTONIC) - began >= brief.tv_nsec);
		child = victim_child(send, &me);
		CHECK_EQ(sigtimedwait(&set, &info, &forever), SIGRTMIN);
		CHECK_EQ(info.si_value.sival_int, 42);
		CHECK_EQ(info.si_pid, child);
		CHECK_EQ(info.si_code, SI_QUEUE);
		victim_reap(child);
		child = victim_child(send, &me);
		CHECK_EQ(sigwaitinfo(&set, &info), SIGRTMIN);
		CHECK_EQ(info.si_pid, child);
		victim_reap(child);
	}
	return victim_end();
}
