/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sig_restart.c - a signal leaves a read with SA_RESTART waiting; without it, and for poll, it is
 * EINTR
 */
#include "victim.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#define N_KICKS 3

static volatile sig_atomic_t count;
static int data[2], unused[2];

static void on_signal(int signal)
{
	count++;
}

static void kick_and_write(void *victim)
{
	for (int i = 0; i < N_KICKS; i++) {
		victim_pause(1000 * 1000);
		CHECK_EQ(kill(*(pid_t *)victim, SIGUSR1), 0);
	}
	victim_pause(1000 * 1000);
	CHECK_EQ(write(data[1], "x", 1), 1);
}

/* until it is killed: a signal that comes before the call that it is meant for is not the only one
 */
static void kick_on(void *victim)
{
	for (;;) {
		victim_pause(1000 * 1000);
		(void)kill(*(pid_t *)victim, SIGUSR1);
	}
}

static void stop(pid_t child)
{
	int status;

	CHECK_EQ(kill(child, SIGKILL), 0);
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
}

static void with(int flags)
{
	struct sigaction sa = { .sa_handler = on_signal, .sa_flags = flags };

	NEED(sigaction(SIGUSR1, &sa, NULL) == 0);
}

int main(void)
{
	pid_t me = getpid();
	struct pollfd p;
	char byte;

	NEED(pipe(data) == 0 && pipe(unused) == 0);
	p = (struct pollfd){ unused[0], POLLIN, 0 };
	victim_ready();
	while (victim_round()) {
		int before = count;
		pid_t child;

		with(SA_RESTART);
		child = victim_child(kick_and_write, &me);
		CHECK_EQ(read(data[0], &byte, 1), 1);
		CHECK_EQ(byte, 'x');
		CHECK(count > before && count <= before + N_KICKS);
		victim_reap(child);

		child = victim_child(kick_on, &me);
		CHECK_ERR(poll(&p, 1, -1), EINTR); /* never restarted after a handler */
		with(0);
		CHECK_ERR(read(unused[0], &byte, 1), EINTR);
		CHECK_ERR(wait(NULL), EINTR);
		stop(child);
	}
	return victim_end();
}
