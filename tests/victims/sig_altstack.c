/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sig_altstack.c - handlers that ask for it run on the other stack, and each thread has its own */
#include "victim.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#define STACK 65536

static _Thread_local char *base;
static _Thread_local volatile sig_atomic_t there, onstack;
static atomic_bool over;

static void on_signal(int signal)
{
	char here;
	stack_t now;

	there += &here >= base && &here < base + STACK;
	onstack += sigaltstack(NULL, &now) == 0 && now.ss_flags == SS_ONSTACK;
}

static void own_stack(void)
{
	stack_t ss = { .ss_size = STACK };

	base = ss.ss_sp = malloc(STACK);
	NEED(base != NULL && sigaltstack(&ss, NULL) == 0);
}

static void once(int n)
{
	stack_t now;

	CHECK_EQ(raise(SIGUSR1), 0);
	CHECK_EQ(there, n);
	CHECK_EQ(onstack, n);
	CHECK_EQ(sigaltstack(NULL, &now), 0);
	CHECK(now.ss_sp == base && now.ss_size == STACK && now.ss_flags == 0);
}

static void *go_on(void *unused)
{
	own_stack();
	for (int n = 1; !over; n++) {
		once(n);
		victim_pause(5 * 1000 * 1000);
	}
	return NULL;
}

int main(void)
{
	struct sigaction sa = { .sa_handler = on_signal, .sa_flags = SA_ONSTACK };
	pthread_t thread;
	int n = 0;

	own_stack();
	NEED(sigaction(SIGUSR1, &sa, NULL) == 0);
	NEED(pthread_create(&thread, NULL, go_on, NULL) == 0);
	victim_ready();
	while (victim_round())
		once(++n);
	over = true;
	CHECK_EQ(pthread_join(thread, NULL), 0);
	return victim_end();
}
