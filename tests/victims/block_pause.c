/* SPDX-License-Identifier: GPL-2.0-or-later */
/* block_pause.c - waits in pause() until a signal was handled */
#include "victim.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

static volatile sig_atomic_t count;
static int told[2];

static void on_signal(int signal)
{
	count++;
}

/* until it is told that one was enough: a signal that comes before the call does not wake it */
static void wake(void *victim)
{
	char byte;

	do {
		(void)kill(*(pid_t *)victim, SIGUSR1);
		victim_pause(3 * 1000 * 1000);
	} while (read(told[0], &byte, 1) < 0);
}

int main(void)
{
	struct waker waker;
	pid_t me = getpid();

	(void)signal(SIGUSR1, on_signal);
	NEED(pipe(told) == 0 && fcntl(told[0], F_SETFL, O_NONBLOCK) == 0);
	waker = victim_waker(wake, &me);
	while (victim_round()) {
		int before = count;

		victim_wait(&waker);
		CHECK_ERR(pause(), EINTR);
		CHECK(count > before);
		CHECK_EQ(write(told[1], "t", 1), 1);
	}
	victim_waker_end(&waker);
	return victim_end();
}
