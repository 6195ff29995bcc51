/* SPDX-License-Identifier: GPL-2.0-or-later */
/* thread_leader_gone.c - after its first thread has ended the process goes on under the same pid */
#include "victim.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

static pthread_t leader;
static pid_t pid;

static void *go_on(void *unused)
{
	CHECK_EQ(pthread_join(leader, NULL), 0);
	victim_ready();
	while (victim_round()) {
		CHECK_EQ(getpid(), pid);
		CHECK(gettid() != pid);
		CHECK_EQ(access("/proc/self/task", F_OK), 0);
	}
	exit(victim_end());
}

int main(void)
{
	pthread_t other;

	leader = pthread_self();
	pid = getpid();
	NEED(pthread_create(&other, NULL, go_on, NULL) == 0);
	pthread_exit(NULL);
}
