/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sig_ends_wait.c - a signal that comes while a call waits ends it with EINTR, whenever it comes, and
 * also with SA_RESTART where signal(7) says so
 */
#include "victim.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define WAIT_MS	 600 /* what a call waits that was not ended */
#define PAUSE_NS 8000000
#define EARLY_NS 4000000 /* it was sent when the call had hardly begun */

static volatile sig_atomic_t count;
static int told[2], epoll, silent[2];
static unsigned int word; /* of a futex that nobody wakes */

static void on_signal(int signal)
{
	count++;
}

static void wake(void *victim)
{
	static uint64_t state = 88172645463325252ULL;
	int64_t now;

	victim_pause(PAUSE_NS + (int64_t)(victim_random(&state) % PAUSE_NS));
	now = victim_now(CLOCK_MONOTONIC);
	CHECK_EQ(write(told[1], &now, sizeof(now)), sizeof(now));
	CHECK_EQ(kill(*(pid_t *)victim, SIGUSR1), 0);
}

static const struct timespec wait_time = { 0, WAIT_MS * 1000000L };

static long by_nanosleep(void)
{
	return nanosleep(&wait_time, NULL);
}

static long by_poll(void)
{
	return poll(NULL, 0, WAIT_MS);
}

static long by_select(void)
{
	struct timeval time = { 0, WAIT_MS * 1000L };

	return select(0, NULL, NULL, NULL, &time);
}

static long by_epoll(void)
{
	struct epoll_event event;

	return epoll_wait(epoll, &event, 1, WAIT_MS);
}

static long by_socket(void)
{
	char byte;

	return recv(silent[0], &byte, 1, 0);
}

static long by_futex(void)
{
	return syscall(SYS_futex, &word, 128, 0, &wait_time, NULL, 0); /* FUTEX_WAIT, private */
}

static long by_signal(void)
{
	sigset_t other;

	(void)sigemptyset(&other);
	(void)sigaddset(&other, SIGUSR2);
	return syscall(SYS_rt_sigtimedwait, &other, NULL, &wait_time, 8);
}

static long (*const waits[])(void) = {
	by_nanosleep, by_poll, by_select, by_epoll, by_socket, by_futex, by_signal,
};

static void one(struct waker *waker, long (*call)(void))
{
	int before = count, error;
	int64_t began, sent;
	long r;

	victim_wait(waker);
	began = victim_now(CLOCK_MONOTONIC);
	errno = 0;
	r = call();
	error = errno;
	CHECK_EQ(read(told[0], &sent, sizeof(sent)), sizeof(sent));
	while (count == before)
		victim_pause(1000000); /* on a busy machine it is sent when the call is over */
	CHECK_EQ(count, before + 1);
	/* before the call, or after it: then it was not to end it */
	if (sent < began + EARLY_NS || sent > began + WAIT_MS / 2 * 1000000L)
		return;
	CHECK_EQ(r, -1);
	CHECK_EQ(error, EINTR);
}

int main(void)
{
	struct sigaction action = { .sa_handler = on_signal };
	struct timeval time = { 0, WAIT_MS * 1000L };
	pid_t me = getpid();
	struct waker waker;
	unsigned int n = 0;

	NEED(pipe(told) == 0);
	NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, silent) == 0);
	NEED(setsockopt(silent[0], SOL_SOCKET, SO_RCVTIMEO, &time, sizeof(time)) == 0);
	epoll = epoll_create1(0);
	NEED(epoll >= 0);
	NEED(sigaction(SIGUSR1, &action, NULL) == 0);
	waker = victim_waker(wake, &me);
	victim_ready();
	while (victim_round()) {
		action.sa_flags = n % 2 ? SA_RESTART : 0;
		NEED(sigaction(SIGUSR1, &action, NULL) == 0);
		one(&waker, waits[n++ % (sizeof(waits) / sizeof(waits[0]))]);
	}
	victim_waker_end(&waker);
	return victim_end();
}
