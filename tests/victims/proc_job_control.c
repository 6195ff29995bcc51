/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * proc_job_control.c - a process that is stopped and continued from outside again and again loses
 * nothing
 */
#include "victim.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static volatile sig_atomic_t continued;

static void on_continue(int signal)
{
	continued++;
}

static char state_of(pid_t pid)
{
	char path[64], text[512], *end;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	if (victim_slurp(path, text, sizeof(text)) <= 0 || !(end = strrchr(text, ')')))
		return '-';
	return end[2];
}

static void stop_and_go(void *victim)
{
	pid_t pid = *(pid_t *)victim;

	CHECK_EQ(kill(pid, SIGSTOP), 0);
	while (!strchr("Tt", state_of(pid))) /* t: it is away, docs/KNOWN-GAPS.md */
		victim_pause(1000 * 1000);
	CHECK_EQ(kill(pid, SIGCONT), 0);
}

int main(void)
{
	pid_t me = getpid();
	int rounds = 0;

	(void)signal(SIGCONT, on_continue);
	victim_ready();
	while (victim_round()) {
		pid_t child = victim_child(stop_and_go, &me);

		while (continued <= rounds)
			victim_pause(200 * 1000);
		CHECK_EQ(continued, ++rounds);
		victim_reap(child);
	}
	return victim_end();
}
